// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Options reads the options of one block and refuses what is repeated. Make one
// for each block.
type Options struct {
	d    *caddyfile.Dispenser
	seen map[string]int
}

// NewOptions returns a reader of d's block.
func NewOptions(d *caddyfile.Dispenser) *Options {
	return &Options{d: d, seen: make(map[string]int)}
}

// Once refuses the option that is d's current token if it was given before.
func (o *Options) Once() error {
	name := o.d.Val()
	if line, ok := o.seen[name]; ok {
		return o.d.Errf("option %q was given already at line %d", name, line)
	}
	o.seen[name] = o.d.Line()
	return nil
}

// Text reads an option with exactly one argument, once.
func (o *Options) Text(target *string) error {
	if err := o.Once(); err != nil {
		return err
	}
	name := o.d.Val()
	if !o.d.NextArg() {
		return o.d.Errf("option %q needs an argument", name)
	}
	if o.d.Val() == "" {
		return o.d.Errf("option %q is empty", name)
	}
	*target = o.d.Val()
	return o.End(name)
}

// Words reads an option with one argument or more, once.
func (o *Options) Words(target *[]string) error {
	if err := o.Once(); err != nil {
		return err
	}
	name := o.d.Val()
	words := o.d.RemainingArgs()
	if len(words) == 0 {
		return o.d.Errf("option %q needs at least one argument", name)
	}
	for _, w := range words {
		if w == "" {
			return o.d.Errf("option %q has an empty argument", name)
		}
	}
	*target = words
	return nil
}

// Flag reads a bare word, once, and sets target.
func (o *Options) Flag(target *bool) error {
	if err := o.Once(); err != nil {
		return err
	}
	*target = true
	return o.End(o.d.Val())
}

// Switch reads a bare word, or the word and "off", once. Target is a pointer,
// so that "not said" remains nil and can be inherited.
func (o *Options) Switch(target **bool) error {
	if err := o.Once(); err != nil {
		return err
	}
	name, on := o.d.Val(), true
	if o.d.NextArg() {
		if o.d.Val() != "off" {
			return o.d.Errf("option %q takes no argument but \"off\", not %q", name, o.d.Val())
		}
		on = false
	}
	*target = &on
	return o.End(name)
}

// Duration reads an option with a duration that is not negative, once.
func (o *Options) Duration(target *caddy.Duration) error {
	name := o.d.Val()
	var text string
	if err := o.Text(&text); err != nil {
		return err
	}
	dur, err := caddy.ParseDuration(text)
	if err != nil || dur < 0 {
		return o.d.Errf("option %q: %q is not a duration such as 30s, 5m, 12h or 7d", name, text)
	}
	*target = caddy.Duration(dur)
	return nil
}

// Time reads an option with a date ("2026-12-31") or a time of RFC 3339, once,
// and keeps its text.
func (o *Options) Time(target *string) error {
	name := o.d.Val()
	var text string
	if err := o.Text(&text); err != nil {
		return err
	}
	if _, err := ParseTime(text); err != nil {
		return o.d.Errf("option %q: %q is not a date such as 2026-12-31 or a time such as 2026-12-31T12:00:00Z", name, text)
	}
	*target = text
	return nil
}

// ParseTime parses a date, which means its first moment in UTC, or a time of
// RFC 3339.
func ParseTime(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}

// Size reads an option with a number of bytes, such as 16KiB or 20000, once.
func (o *Options) Size(target *int64) error {
	name := o.d.Val()
	var text string
	if err := o.Text(&text); err != nil {
		return err
	}
	n, err := parseSize(text)
	if err != nil || n <= 0 {
		return o.d.Errf("option %q: %q is not a size such as 16KiB or 20000", name, text)
	}
	*target = n
	return nil
}

// parseSize keeps to bytes and binary units: nobody means 16,000 by 16K here.
func parseSize(text string) (int64, error) {
	factor := int64(1)
	for suffix, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, factor = strings.TrimSpace(rest), f
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n * factor, err
}

// End refuses a further argument of the option.
func (o *Options) End(name string) error {
	if o.d.NextArg() {
		return o.d.Errf("option %q has an argument too many: %q", name, o.d.Val())
	}
	return nil
}

// Unknown returns the error of an option that is not one of those allowed; of
// is the word whose block it stands in: "jwt".
func (o *Options) Unknown(of string, allowed ...string) error {
	return o.d.Errf("unrecognized %s option %q; there are: %s", of, o.d.Val(), strings.Join(allowed, ", "))
}
