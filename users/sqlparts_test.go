// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestQueriesAreReadAsFarAsTheyCanBe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		d          dialect
		args       int
		want       string
	}{
		{"plain", askName, postgresql, 1, ""},
		{"used twice", "SELECT 1 WHERE a = $1 OR b = $1", postgresql, 1, ""},
		{"twice for MySQL", "select 1 where a = ? or b = ?", mysqlDialect, 2, ""},
		{"WITH and a semicolon", "WITH u AS (SELECT $1::text AS n) SELECT n FROM u; ", postgresql, 1, ""},
		{"comment before it", "-- who; is it?\n/* ' */ SELECT $1", postgresql, 1, ""},
		{"comment of MySQL", "# who?\nSELECT ?", mysqlDialect, 1, ""},
		{"quotes", `SELECT 'it''s; $2', "a;b", $t$ '; $9 $t$, E'\'; $3', $1`, postgresql, 1, ""},
		{"quotes of MySQL", "SELECT 'it\\'s; ?', \"?\", `?`, ?", mysqlDialect, 1, ""},
		{"operators of JSON", `SELECT a ? 'b' FROM t WHERE id = $1`, postgresql, 1, ""},
		{"not known yet, PostgreSQL", askID, unknownDialect, 1, ""},
		{"not known yet, MySQL", "SELECT ?", unknownDialect, 1, ""},
		{"dollar in a name", "SELECT a$1 FROM t WHERE id = $1", postgresql, 1, ""},

		{"empty", " \n", postgresql, 0, "it is empty"},
		{"long", "SELECT $1" + strings.Repeat(" ", maxQuery), postgresql, 0, "it is longer than 16384 bytes"},
		{"NUL", "SELECT $1\x00", postgresql, 0, "it holds a NUL"},
		{"UPDATE", "UPDATE people SET a = $1", postgresql, 0, "it is no SELECT"},
		{"word that begins so", "SELECTED $1", postgresql, 0, "it is no SELECT"},
		{"comment alone", "/* SELECT $1 */", postgresql, 0, "it is no SELECT"},
		{"two statements", "SELECT $1; DROP TABLE people", postgresql, 0, "it is more than one statement"},
		{"open quote", "SELECT 'x $1", postgresql, 0, "a quote or a comment is not closed"},
		{"open name", "SELECT `x ?", mysqlDialect, 0, "a quote or a comment is not closed"},
		{"open comment", "SELECT $1 /* x", postgresql, 0, "a quote or a comment is not closed"},
		{"open dollars", "SELECT $1, $x$ a", postgresql, 0, "a quote or a comment is not closed"},
		{"open parenthesis", "SELECT (($1)", postgresql, 0, "a parenthesis is not closed"},
		{"closed too often", "SELECT $1)", postgresql, 0, "a parenthesis is closed that was not opened"},
		{"quoted parameter", "SELECT '$1'", postgresql, 0, "it has no parameter: $1 is what is asked for"},
		{"quoted parameter of MySQL", "SELECT '?'", mysqlDialect, 0, "it has no parameter: ? is what is asked for"},
		{"none, not known yet", "SELECT 1", unknownDialect, 0, "it has no parameter: $1, or ? for MySQL, is what is asked for"},
		{"second parameter", "SELECT $1, $2", postgresql, 0, "parameter $2: there is $1 alone"},
		{"zeroth parameter", "SELECT $0", postgresql, 0, "parameter $0: there is $1 alone"},
		{"tenth parameter", "SELECT $10", postgresql, 0, "parameter $10: there is $1 alone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			q, err := checkQuery(tc.text, tc.d)
			if tc.want != "" {
				if err == nil || err.Error() != tc.want {
					t.Errorf("error is %v, want %s", err, tc.want)
				}
				return
			}
			if err != nil || q.args != tc.args || q.text != tc.text || len(q.bind("x")) != tc.args {
				t.Errorf("%+v, %v", q, err)
			}
		})
	}
}

// A statement that is accepted has a parameter outside of quotes, and stays as
// it was written.
func FuzzCheckQuery(f *testing.F) {
	f.Add(askName, 1)
	f.Add("SELECT 'it\\'s; ?', \"?\", `?`, ?", 2)
	f.Add("WITH u AS (SELECT $1::text AS n) SELECT n FROM u; -- $2", 0)
	f.Fuzz(func(t *testing.T, text string, d int) {
		if d < 0 || d > int(mysqlDialect) {
			return
		}
		q, err := checkQuery(text, dialect(d))
		if err != nil {
			if q != (query{}) {
				t.Error("a query beside an error")
			}
			return
		}
		if q.text != text || q.args < 1 || !strings.Contains(text, "$1") && !strings.Contains(text, "?") {
			t.Errorf("%+v", q)
		}
	})
}

func TestRowIsReadColumnByColumn(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600))
	tb := &table{
		columns: []string{"id", "username", "password", "is_active", "is_staff", "is_superuser", "permissions", "a", "b", "c", "d", "e", "f"},
		types:   make([]string, 13),
	}
	r, err := tb.record([]any{int64(7), []byte("ann"), nil, []byte{1}, "t", nil, "x y  z", when, 1.5, true, nil, []byte("text"), time.Time{}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": "2026-01-02T02:04:05.000006Z", "b": 1.5, "c": true, "e": "text"}
	if r.id != "7" || r.username != "ann" || r.hash != "" || !r.active || !r.staff || r.superuser || !reflect.DeepEqual(r.permissions, []string{"x", "y", "z"}) || r.leftOut != "" {
		t.Errorf("record is %+v", r)
	}
	if !reflect.DeepEqual(map[string]any(r.fields), want) {
		t.Errorf("fields are %v", r.fields)
	}
	for name, value := range map[string]any{
		"hash": hashDjango, "bcrypt": []byte(hashHorse), "blob": []byte{0xff}, "large": strings.Repeat("x", maxValue+1), "odd": []string{"x"},
	} {
		r := &record{fields: map[string]any{}}
		if r.addField(name, value); len(r.fields) != 0 || !strings.HasPrefix(r.leftOut, name+": ") || strings.Contains(r.leftOut, "$") {
			t.Errorf("%s: fields %v, left out %q", name, r.fields, r.leftOut)
		}
	}
	r = &record{fields: map[string]any{}}
	r.addField("nan", math.NaN())
	r.addField("inf", math.Inf(1))
	if len(r.fields) != 0 {
		t.Errorf("fields are %v", r.fields)
	}
}

func TestPermissionsAreReadInThreeForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value any
		typ   string
		want  []string
		ok    bool
	}{
		{nil, "TEXT", nil, true},
		{"", "TEXT", nil, true},
		{"a.b c.d", "TEXT", []string{"a.b", "c.d"}, true},
		{[]byte(`["a.b", null, "c.d"]`), "JSON", []string{"a.b", "c.d"}, true},
		{`[]`, "JSON", []string{}, true},
		{`{a.b,"c.d",NULL}`, "_TEXT", []string{"a.b", "c.d"}, true},
		{`{}`, "_VARCHAR", []string{}, true},
		{`["a b"]`, "JSON", nil, false},
		{`{"a b"}`, "_TEXT", nil, false},
		{`[1]`, "JSON", nil, false},
		{`["a"`, "TEXT", nil, false},
		{`a`, "_TEXT", nil, false},
		{"a\x00b", "TEXT", nil, false},
		{int64(1), "INT4", nil, false},
	} {
		got, err := wordsOf(tc.value, tc.typ)
		if (err == nil) != tc.ok || len(got) != len(tc.want) || len(got) > 0 && !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v of type %s: %q, %v", tc.value, tc.typ, got, err)
		}
	}
}

func TestFlagsAndTextsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for _, v := range []any{true, int64(1), "1", "t", "true", []byte{1}, []byte("1")} {
		if on, err := flagOf(v); !on || err != nil {
			t.Errorf("%v: %t, %v", v, on, err)
		}
	}
	for _, v := range []any{nil, false, int64(0), "0", "f", "false", []byte{0}} {
		if on, err := flagOf(v); on || err != nil {
			t.Errorf("%v: %t, %v", v, on, err)
		}
	}
	for _, v := range []any{int64(2), int64(-1), "yes", "T", "", []byte(nil), 1.0, time.Now()} {
		if on, err := flagOf(v); on || err == nil {
			t.Errorf("%v is a flag: %t", v, on)
		}
	}
	for _, v := range []any{nil, 1.5, true, "a\x00", "\xff", []byte("a\n"), time.Now()} {
		if s, err := textOf(v); s != "" || err == nil {
			t.Errorf("%v is a text: %q", v, s)
		}
	}
	if s, err := textOf(uint64(math.MaxUint64)); s != "18446744073709551615" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
}

// One line says that the database is gone, and one that it is back, whichever
// of many questions fail and however often.
func TestTroubleIsSaidOnce(t *testing.T) {
	t.Parallel()
	var tr trouble
	now := time.Unix(1_800_000_000, 0)
	if tr.ends() || !tr.begins("x", now) || tr.begins("x", now.Add(time.Hour)) {
		t.Error("said never or twice")
	}
	if !tr.ends() || tr.ends() {
		t.Error("its end is said never or twice")
	}
	if tr.begins("x", now.Add(time.Second)) || tr.ends() {
		t.Error("trouble that comes and goes is said each time")
	}
	if tr.begins("x", now.Add(time.Second)) || !tr.begins("x", now.Add(troubleEvery)) {
		t.Error("trouble that stays is never said")
	}
	if tr.begins("y", now.Add(troubleEvery+1)) || !tr.begins("y", now.Add(2*troubleEvery)) {
		t.Error("another problem is said at once, or never")
	}
}
