// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// revokeFlags are the flags of "caddy auth revoke".
type revokeFlags struct {
	admin        adminFlags
	sid          string
	user         string
	issuer       string
	withIssuer   bool
	issuedBefore string
	tokenFile    string
	until        string
	lifetime     string
	undo         bool
	list         bool
	asJSON       bool
}

// revocation is an entry as the admin API shows it.
type revocation struct {
	JTI          string     `json:"jti,omitempty"`
	SID          string     `json:"sid,omitempty"`
	User         string     `json:"user,omitempty"`
	Issuer       *string    `json:"issuer,omitempty"`
	IssuedBefore *time.Time `json:"issued_before,omitempty"`
	Until        *time.Time `json:"until,omitempty"`
}

func revokeCommand() *cobra.Command { return newRevokeCommand(clock.Clock{}) }

func newRevokeCommand(now clock.Clock) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke (<jti> | --sid <session> | --user <id> | --token-file <file|-> | --list) [flags]",
		Short: "Ends tokens before their time, and lists what was ended",
		Long: `
Tells a running Caddy, through its admin API, to refuse a token from now on, all
tokens of a session, or all tokens that a user was given until now. With --undo
it is accepted again; --list shows everything that is revoked.

A token in a file, or on standard input, is revoked by its jti or, without one,
by the SHA-256 of its payload, until it expires, and so is its session, as a
log-out does: other tokens of the session and its refresh tokens end with it. Its
signature is not checked.

The issuer of a user is by default the one whose tokens this Caddy makes. A jti
or a session counts for every issuer unless one is given.

The exit status is 0 when it is done, 1 when it could not be done, 2 when the
command line is wrong.`,
		Example: `  caddy auth revoke 7f9c0f2e --for 24h
  caddy auth revoke --user 42
  caddy auth revoke --token-file stolen.txt
  caddy auth revoke 7f9c0f2e --undo
  caddy auth revoke --list`,
	}
	var f revokeFlags
	f.admin.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.sid, "sid", "", "Revoke the session of this ID")
	flags.StringVar(&f.user, "user", "", "Revoke all tokens of the user of this ID")
	flags.StringVar(&f.issuer, "issuer", "", "The issuer of the token, session or user; of users, \"\" is that of tokens without one")
	flags.StringVar(&f.issuedBefore, "issued-before", "", "With --user: only tokens issued until then, as 2027-01-02T15:04:05Z (default now)")
	flags.StringVar(&f.tokenFile, "token-file", "", "Revoke the token in this file; - is standard input")
	flags.StringVar(&f.until, "until", "", "Remember it until then, as 2027-01-02T15:04:05Z (default 400 days)")
	flags.StringVar(&f.lifetime, "for", "", "Remember it for so long, such as 12h or 30d")
	flags.BoolVar(&f.undo, "undo", false, "Accept it again")
	flags.BoolVar(&f.list, "list", false, "Show everything that is revoked")
	flags.BoolVar(&f.asJSON, "json", false, "Print what the admin API answers")
	prepare(cmd, func(cmd *cobra.Command, args []string) error {
		f.withIssuer = cmd.Flags().Changed("issuer")
		return f.run(cmd, args, now.Now())
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return finish(cmd, usage("give one jti; %d were given", len(args)))
		}
		return nil
	}
	return cmd
}

func (f *revokeFlags) run(cmd *cobra.Command, args []string, now time.Time) error {
	jti := ""
	if len(args) == 1 {
		if jti = args[0]; jti == "" {
			return usage("the jti is empty")
		}
	}
	flags := cmd.Flags()
	named := len(args)
	for _, flag := range []string{"sid", "user", "token-file", "list"} {
		if flags.Changed(flag) {
			named++
		}
		if text := flags.Lookup(flag).Value.String(); flags.Changed(flag) && text == "" {
			return usage("--%s is empty", flag)
		}
	}
	if named != 1 {
		return usage("give one of <jti>, --sid, --user, --token-file and --list")
	}
	if f.list {
		for _, flag := range []string{"issuer", "issued-before", "until", "for", "undo"} {
			if flags.Changed(flag) {
				return usage("--%s does not go with --list", flag)
			}
		}
		return f.printList(cmd.OutOrStdout())
	}
	entry, err := f.entry(jti, now)
	if err != nil {
		return err
	}
	entries := []revocation{entry}
	if f.tokenFile != "" {
		token, err := readToken(f.tokenFile, cmd.InOrStdin())
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		if entries, err = f.ofToken(entry, token, now); err != nil {
			return err
		}
	}
	if f.undo {
		return f.forgetAll(cmd.OutOrStdout(), entries)
	}
	var failed error
	for _, entry := range entries { // each for itself: what can be ended is
		failed = errors.Join(failed, f.revoke(cmd.OutOrStdout(), entry))
	}
	return failed
}

// entry is what the command line names.
func (f *revokeFlags) entry(jti string, now time.Time) (revocation, error) {
	entry := revocation{JTI: jti, SID: f.sid, User: f.user}
	if f.withIssuer {
		entry.Issuer = &f.issuer
	}
	if f.until != "" && f.lifetime != "" {
		return entry, usage("give one of --until and --for")
	}
	if f.undo && (f.until != "" || f.lifetime != "" || f.issuedBefore != "") {
		return entry, usage("--until, --for and --issued-before do not go with --undo")
	}
	if f.issuedBefore != "" {
		if f.user == "" {
			return entry, usage("--issued-before goes with --user")
		}
		at, err := time.Parse(time.RFC3339, f.issuedBefore)
		if err != nil {
			return entry, usage("--issued-before: %q is not a time such as 2027-01-02T15:04:05Z", f.issuedBefore)
		}
		entry.IssuedBefore = &at
	}
	if f.until != "" {
		at, err := time.Parse(time.RFC3339, f.until)
		if err != nil {
			return entry, usage("--until: %q is not a time such as 2027-01-02T15:04:05Z", f.until)
		}
		entry.Until = &at
	}
	if f.lifetime != "" {
		d, err := caddy.ParseDuration(f.lifetime)
		if err != nil || d < time.Second {
			return entry, usage("--for: %q is not a duration of a second or more, such as 12h or 30d", f.lifetime)
		}
		at := now.Add(d).UTC().Truncate(time.Second)
		entry.Until = &at
	}
	return entry, nil
}

// ofToken returns the entries of the token and of its session.
func (f *revokeFlags) ofToken(entry revocation, token *jws, now time.Time) ([]revocation, error) {
	claims, err := token.identifiers()
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if !f.withIssuer && claims.issuer != "" {
		entry.Issuer = &claims.issuer
	}
	var session []revocation
	if claims.session != "" { // its other tokens may live longer than this one
		of := entry
		of.SID = claims.session
		session = append(session, of)
	}
	entry.JTI = claims.id
	if entry.Until != nil || claims.expires.IsZero() || f.undo {
		return append([]revocation{entry}, session...), nil
	}
	until := claims.expires
	if !until.After(now) {
		// Clocks differ, and leeway may accept it for a while yet.
		const late = 24 * time.Hour
		if now.Sub(until) > late && session == nil {
			return nil, fmt.Errorf("the token has expired at %s already", until.Format(time.RFC3339))
		}
		if now.Sub(until) > late {
			return session, nil
		}
		until = now.Add(late).UTC().Truncate(time.Second)
	}
	entry.Until = &until
	return append([]revocation{entry}, session...), nil
}

func (f *revokeFlags) revoke(w io.Writer, entry revocation) error {
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	answer, err := f.admin.ask(http.MethodPost, "/auth/revocations", body)
	if err != nil {
		return err
	}
	var done revocation
	if err := json.Unmarshal(answer, &done); err != nil || done == (revocation{}) {
		return errNotOurs
	}
	if f.asJSON {
		_, err := w.Write(answer)
		return err
	}
	_, err = fmt.Fprintf(w, "revoked %s%s\n", done.what(), done.issuedUntil())
	return err
}

// forgetAll takes back what is there of the entries. Of a token and its session,
// one may not be revoked.
func (f *revokeFlags) forgetAll(w io.Writer, entries []revocation) error {
	var failed, absent error
	forgotten := false
	for _, entry := range entries {
		switch err := f.forget(w, entry); {
		case err == nil:
			forgotten = true
		case err.Error() == notRevoked:
			absent = err
		default:
			failed = errors.Join(failed, fmt.Errorf("%s: %w", entry.what(), err))
		}
	}
	if failed == nil && !forgotten {
		return absent
	}
	return failed
}

// notRevoked is what the admin API says of what is not there.
const notRevoked = "it is not revoked"

func (f *revokeFlags) forget(w io.Writer, entry revocation) error {
	query := url.Values{}
	for name, text := range map[string]string{"jti": entry.JTI, "sid": entry.SID, "user": entry.User} {
		if text != "" {
			query.Set(name, text)
		}
	}
	if entry.Issuer != nil {
		query.Set("issuer", *entry.Issuer)
	}
	answer, err := f.admin.ask(http.MethodDelete, "/auth/revocations?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	var done struct {
		Removed int `json:"removed"`
	}
	if err := json.Unmarshal(answer, &done); err != nil || done.Removed == 0 {
		return errNotOurs
	}
	if f.asJSON {
		_, err := w.Write(answer)
		return err
	}
	hint := ""
	if entry.JTI != "" {
		hint = "; an entry of its session or user still refuses it if there is one (--list)"
	}
	_, err = fmt.Fprintf(w, "no longer revoked: %s%s\n", entry.what(), hint)
	return err
}

// printList prints all pages.
func (f *revokeFlags) printList(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for from, first := "", true; first || from != ""; first = false {
		var page struct {
			Count       *int         `json:"count"`
			Revocations []revocation `json:"revocations"`
			Next        string       `json:"next"`
		}
		answer, err := f.admin.ask(http.MethodGet, "/auth/revocations?"+url.Values{"from": {from}}.Encode(), nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(answer, &page); err != nil || page.Count == nil || page.Next != "" && page.Next == from {
			return errNotOurs
		}
		switch {
		case f.asJSON:
			for _, entry := range page.Revocations { // one a line: there may be millions
				if err := json.NewEncoder(w).Encode(entry); err != nil {
					return err
				}
			}
		case first && *page.Count == 0:
			_, err := fmt.Fprintln(w, "nothing is revoked")
			return err
		default:
			if first {
				fmt.Fprintln(table, "WHAT\tISSUER\tISSUED UNTIL\tREMEMBERED UNTIL")
			}
			for _, entry := range page.Revocations {
				entry.print(table)
			}
			if err := table.Flush(); err != nil {
				return err
			}
		}
		from = page.Next
	}
	return nil
}

func (r revocation) print(w io.Writer) {
	issuer, issued, until := "every", "-", "-"
	if r.Issuer != nil {
		issuer = plain(*r.Issuer)
		if issuer == "" {
			issuer = `""`
		}
	}
	if r.IssuedBefore != nil {
		issued = r.IssuedBefore.Format(time.RFC3339)
	}
	if r.Until != nil {
		until = r.Until.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.what(), issuer, issued, until)
}

// what names the entry.
func (r revocation) what() string {
	switch {
	case r.User != "":
		return "user " + plain(r.User)
	case r.SID != "":
		return "session " + plain(r.SID)
	default:
		return "token " + plain(r.JTI)
	}
}

func (r revocation) issuedUntil() string {
	if r.IssuedBefore == nil {
		return ""
	}
	return ": tokens issued until " + r.IssuedBefore.Format(time.RFC3339)
}
