// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// block is what a module might hold.
type block struct {
	Name   string
	Words  []string
	Flag   bool
	Switch *bool
	Wait   caddy.Duration
	Until  string
	Size   int64
	Once   int
}

// read reads a block of options, which begins in line 3.
func read(t *testing.T, text string) (block, error) {
	t.Helper()
	var b block
	d := dispenser(t, "block {\n"+text+"\n}")
	options := NewOptions(d)
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "name":
			err = options.Text(&b.Name)
		case "words":
			err = options.Words(&b.Words)
		case "flag":
			err = options.Flag(&b.Flag)
		case "switch":
			err = options.Switch(&b.Switch)
		case "wait":
			err = options.Duration(&b.Wait)
		case "until":
			err = options.Time(&b.Until)
		case "size":
			err = options.Size(&b.Size)
		case "once":
			b.Once++
			if err = options.Once(); err == nil {
				err = options.End(d.Val())
			}
		default:
			err = options.Unknown("block", "name", "words")
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func TestOptionsAreRead(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for text, want := range map[string]block{
		"":                        {},
		"name abc":                {Name: "abc"},
		`name "a b"`:              {Name: "a b"},
		"name {env.NAME}":         {Name: "{env.NAME}"},
		`name " "`:                {Name: " "},
		"words a":                 {Words: []string{"a"}},
		"words a b a":             {Words: []string{"a", "b", "a"}},
		"flag":                    {Flag: true},
		"switch":                  {Switch: &yes},
		"switch off":              {Switch: &no},
		"once":                    {Once: 1},
		"name abc\nflag\nwords x": {Name: "abc", Flag: true, Words: []string{"x"}},

		"wait 0":     {},
		"wait 30s":   {Wait: caddy.Duration(30 * time.Second)},
		"wait 1h30m": {Wait: caddy.Duration(90 * time.Minute)},
		"wait 7d":    {Wait: caddy.Duration(7 * 24 * time.Hour)},

		"until 2026-12-31":                {Until: "2026-12-31"},
		"until 2026-12-31T12:00:00Z":      {Until: "2026-12-31T12:00:00Z"},
		"until 2026-12-31T12:00:00+02:00": {Until: "2026-12-31T12:00:00+02:00"},

		"size 1":       {Size: 1},
		"size 20000":   {Size: 20000},
		"size 16KiB":   {Size: 16 << 10},
		`size "2 MiB"`: {Size: 2 << 20},
	} {
		got, err := read(t, text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestOptionThatIsNotUnderstoodIsAnErrorWithItsLine(t *testing.T) {
	t.Parallel()
	const (
		duration = `is not a duration such as 30s, 5m, 12h or 7d`
		date     = `is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z`
		size     = `is not a size such as 16KiB or 20000`
	)
	for text, want := range map[string]string{
		"nam abc":       `unrecognized block option "nam"; there are: name, words`,
		"Name abc":      `unrecognized block option "Name"; there are: name, words`,
		`"" abc`:        `unrecognized block option ""; there are: name, words`,
		"name":          `option "name" needs an argument`,
		`name ""`:       `option "name" is empty`,
		"name a b":      `option "name" has an argument too many: "b"`,
		"words":         `option "words" needs at least one argument`,
		`words a ""`:    `option "words" has an empty argument`,
		"flag on":       `option "flag" has an argument too many: "on"`,
		"flag off":      `option "flag" has an argument too many: "off"`,
		`flag ""`:       `option "flag" has an argument too many: ""`,
		"switch on":     `option "switch" takes no argument but "off", not "on"`,
		"switch OFF":    `option "switch" takes no argument but "off", not "OFF"`,
		`switch ""`:     `option "switch" takes no argument but "off", not ""`,
		"switch off on": `option "switch" has an argument too many: "on"`,
		"once x":        `option "once" has an argument too many: "x"`,

		"wait":          `option "wait" needs an argument`,
		"wait 5":        `option "wait": "5" ` + duration,
		"wait -5s":      `option "wait": "-5s" ` + duration,
		"wait soon":     `option "wait": "soon" ` + duration,
		`wait "5 m"`:    `option "wait": "5 m" ` + duration,
		"wait 9999999d": `option "wait": "9999999d" ` + duration,
		"wait {env.W}":  `option "wait": "{env.W}" ` + duration,
		"wait 5m 5s":    `option "wait" has an argument too many: "5s"`,

		"until":                     `option "until" needs an argument`,
		"until tomorrow":            `option "until": "tomorrow" ` + date,
		"until 2026-02-30":          `option "until": "2026-02-30" ` + date,
		"until 31.12.2026":          `option "until": "31.12.2026" ` + date,
		"until 1798761600":          `option "until": "1798761600" ` + date,
		"until 2026-12-31T12:00:00": `option "until": "2026-12-31T12:00:00" ` + date,
		"until 2026-12-31 12:00":    `option "until" has an argument too many: "12:00"`,

		"size":            `option "size" needs an argument`,
		"size 0":          `option "size": "0" ` + size,
		"size -1":         `option "size": "-1" ` + size,
		"size 1.5KiB":     `option "size": "1.5KiB" ` + size,
		"size 16KB":       `option "size": "16KB" ` + size,
		"size 16K":        `option "size": "16K" ` + size,
		"size 1GiB":       `option "size": "1GiB" ` + size,
		"size KiB":        `option "size": "KiB" ` + size,
		"size 0x10":       `option "size": "0x10" ` + size,
		"size 3000000000": `option "size": "3000000000" ` + size,
		"size 1KiB 1":     `option "size" has an argument too many: "1"`,
	} {
		_, err := read(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), ", at Caddyfile:4") {
			t.Errorf("%s: %v; want %s, at Caddyfile:4", text, err, want)
		}
	}
}

// The units were once tried in random order, and two of them are a size to one
// order and none to the other.
func TestSizeHasOneUnit(t *testing.T) {
	t.Parallel()
	for range 100 {
		for _, text := range []string{"5KiBMiB", "5MiBKiB", "5KiBKiB"} {
			if b, err := read(t, "size "+text); err == nil {
				t.Fatalf("%s: %d", text, b.Size)
			}
		}
	}
}

// Attack, against oneself: the second of two lines wins, and the first, which
// somebody relies on, is forgotten.
func TestOptionGivenTwiceIsAnErrorThatNamesTheFirstLine(t *testing.T) {
	t.Parallel()
	for option, again := range map[string]string{
		"name a": "name a", "words a": "words b", "flag": "flag", "switch": "switch off",
		"wait 5s": "wait 6s", "until 2026-12-31": "until 2027-12-31", "size 1": "size 2", "once": "once",
	} {
		word, _, _ := strings.Cut(option, " ")
		_, err := read(t, option+"\n"+again)
		want := `option "` + word + `" was given already at line 4, at Caddyfile:5`
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// What is said of one block is not held against the next.
func TestEachBlockHasOptionsOfItsOwn(t *testing.T) {
	t.Parallel()
	d := dispenser(t, "flag\nflag")
	for range 2 {
		var flag bool
		if err := NewOptions(d).Flag(&flag); err != nil || !flag {
			t.Errorf("%t, %v", flag, err)
		}
		d.Next()
	}
}

// The brace that opens a block is no argument: it is the next word, which nobody
// knows.
func TestOptionWithABlockItDoesNotTakeIsAnError(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"name a", "words a", "flag", "switch", "wait 5s", "until 2026-12-31", "size 1"} {
		_, err := read(t, option+" {\nflag\n}")
		if err == nil || !strings.Contains(err.Error(), `unrecognized block option "{"`) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

func TestTimeIsADateInUTCOrATime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2026-12-31":                     time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC),
		"2028-02-29":                     time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC),
		"2026-12-31T12:30:15Z":           time.Date(2026, 12, 31, 12, 30, 15, 0, time.UTC),
		"2026-12-31T12:30:15+02:00":      time.Date(2026, 12, 31, 10, 30, 15, 0, time.UTC),
		"2026-12-31T12:30:15.25-00:30":   time.Date(2026, 12, 31, 13, 0, 15, 250_000_000, time.UTC),
		"1969-12-31":                     time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.999999999Z": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "never", "2026", "2026-12", "2026-13-01", "2026-02-29", "26-12-31", "2026/12/31", " 2026-12-31",
		"2026-12-31Z", "2026-12-31T12:00", "2026-12-31 12:00:00Z", "2026-12-31T24:00:00Z", "10000-01-01", "-2026-12-31",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
