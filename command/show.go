// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// show prints what the token holds and what the blocks make of it.
func (f *inspectFlags) show(w io.Writer, token *jws, shape error, verdicts []verdict, now time.Time) error {
	if f.asJSON {
		return showJSON(w, token, shape, verdicts)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if shape != nil {
		fmt.Fprintln(table, shape)
	} else {
		showObject(table, "header", token.header, now)
		showObject(table, "claims", token.payload, now)
	}
	for _, v := range verdicts {
		fmt.Fprintf(table, "%s: %s\n", plain(v.JWT), v.text())
	}
	if len(verdicts) == 0 && shape == nil {
		fmt.Fprintln(table, "not verified: give a key, or a configuration with --config")
	}
	return table.Flush()
}

// text is the verdict in words.
func (v verdict) text() string {
	text := "accepted"
	if !v.Accepted {
		text = "refused"
		if v.Reason != "" {
			text += ", " + v.Reason
		}
		if v.Detail != "" {
			text += ": " + plain(v.Detail)
		}
	}
	if v.User != "" {
		text += ", user " + plain(v.User)
	}
	if v.Accepted && v.Issuer != "" {
		text += " of " + plain(v.Issuer)
	}
	switch {
	case v.Accepted && v.asked:
		text += ", not revoked (would be as jti " + plain(v.TokenID) + ")"
	case v.Accepted:
		text += ", jti " + plain(v.TokenID)
	}
	return text
}

// errNotObject is the error of a part that is none.
var errNotObject = errors.New("not a JSON object")

// showObject prints the members of an object, a line each, in the order in
// which they stand. A member that is there twice is shown, though nobody accepts
// the token.
func showObject(w io.Writer, title string, object []byte, now time.Time) {
	fmt.Fprintln(w, title)
	err := eachMember(object, func(name string, value jsontext.Value) {
		text := plain(string(value))
		if at, ok := momentOf(name, value); ok {
			text += "  " + at.Format(time.RFC3339) + ", " + distance(at.Sub(now))
		}
		fmt.Fprintf(w, "  %s\t%s\n", plain(name), text)
	})
	if err != nil {
		fmt.Fprintf(w, "  (%s)\n", err)
	}
}

func eachMember(object []byte, f func(name string, value jsontext.Value)) error {
	dec := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return errNotObject
	}
	if _, err := dec.ReadToken(); err != nil {
		return errNotObject
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return errNotObject
		}
		text := name.String() // valid until the next read
		value, err := dec.ReadValue()
		if err != nil {
			return errNotObject
		}
		value = value.Clone()
		if err := value.Compact(); err != nil {
			return errNotObject
		}
		f(text, value)
	}
	if _, err := dec.ReadToken(); err != nil {
		return errNotObject
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the JSON object")
	}
	return nil
}

// momentOf returns the time of a claim that holds one (RFC 7519, section 4.1).
func momentOf(name string, value jsontext.Value) (time.Time, bool) {
	switch name {
	case "exp", "nbf", "iat", "auth_time":
	default:
		return time.Time{}, false
	}
	var seconds float64
	if value.Kind() != '0' || json.Unmarshal(value, &seconds) != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// distance says how far off a moment is.
func distance(d time.Duration) string {
	const day = 24 * time.Hour
	days := func(d time.Duration) string {
		d = d.Round(time.Second)
		if d < 2*day {
			return d.String()
		}
		return fmt.Sprintf("%d days", d/day)
	}
	if d < 0 {
		return days(-d) + " ago"
	}
	return "in " + days(d)
}

// showJSON prints the same for programs. Parts that are no JSON are null.
func showJSON(w io.Writer, token *jws, shape error, verdicts []verdict) error {
	part := func(raw []byte) json.RawMessage {
		if shape != nil || !json.Valid(raw) {
			return json.RawMessage("null")
		}
		return raw
	}
	text, err := json.Marshal(struct {
		Header   json.RawMessage `json:"header"`
		Claims   json.RawMessage `json:"claims"`
		Verdicts []verdict       `json:"verdicts"`
	}{part(token.header), part(token.payload), verdicts})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, plain(string(text)))
	return err
}
