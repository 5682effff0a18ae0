// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/auth/authtest"
)

func init() { caddy.RegisterModule(Ticket{}) }

// Ticket accepts links that carry a ticket, "?ticket=alice.1798761600.<mac>",
// which is signed with the global secret. Registered under this ID, it is the
// word "ticket" of an auth block.
type Ticket struct {
	// Query is the name of the parameter. Default: "ticket".
	Query string `json:"query,omitempty"`

	key []byte
	now func() time.Time
}

func (Ticket) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.auth.authenticators.ticket",
		New: func() caddy.Module { return new(Ticket) },
	}
}

func (t *Ticket) Provision(ctx caddy.Context) error {
	services, err := auth.ServicesOf(ctx)
	if err != nil {
		return err
	}
	secret, ok := services.Secret()
	if !ok {
		return errors.New("ticket needs the global option secret")
	}
	t.key = secret
	if t.Query == "" {
		t.Query = "ticket"
	}
	t.now = time.Now
	return nil
}

// Authenticate keeps "nothing here", "bad" and "good" apart, and says which of
// the stable reasons it was; the details never quote the ticket.
func (t *Ticket) Authenticate(r *http.Request) (*auth.Identity, error) {
	tickets := r.URL.Query()[t.Query]
	if len(tickets) == 0 {
		return nil, auth.ErrNoCredentials
	}
	parts := strings.Split(tickets[0], ".")
	if len(tickets) > 1 || len(parts) != 3 || parts[0] == "" {
		return nil, auth.Invalid(auth.ReasonMalformedToken, "not one ticket of three parts")
	}
	name, expires := parts[0], parts[1]
	if !hmac.Equal([]byte(parts[2]), []byte(t.sign(name, expires))) {
		return nil, auth.Invalid(auth.ReasonBadSignature, "ticket was not signed here")
	}
	unix, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return nil, auth.InvalidFor(name, auth.ReasonMalformedToken, "expiry is no number")
	}
	if !t.now().Before(time.Unix(unix, 0)) {
		return nil, auth.InvalidFor(name, auth.ReasonTokenExpired, "ticket has expired")
	}
	return &auth.Identity{
		ID:        "ticket:" + name,
		Issuer:    auth.LocalIssuer + "ticket", // no token names its issuer
		Backend:   "ticket",
		ExpiresAt: time.Unix(unix, 0),
	}, nil
}

func (t *Ticket) sign(name, expires string) string {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte("ticket." + name + "." + expires))
	return hex.EncodeToString(mac.Sum(nil))
}

// Sources lets the handler strip tickets and keep them out of logs.
func (t *Ticket) Sources() []auth.Source { return []auth.Source{{Query: t.Query}} }

// Challenge tells clients which scheme to use.
func (t *Ticket) Challenge() string { return "Ticket" }

// UnmarshalCaddyfile parses:
//
//	ticket [<query>]
func (t *Ticket) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the word itself
	if d.NextArg() {
		t.Query = d.Val()
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// An authenticator of your own imports package auth alone.
func Example_authenticator() {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	t := new(Ticket)
	if err := t.Provision(auth.WithServices(ctx, authtest.Services{SecretBytes: []byte("a secret of the house")})); err != nil {
		fmt.Println(err)
		return
	}
	t.now = func() time.Time { return time.Unix(1_700_000_000, 0) }

	ask := func(query string) {
		id, err := t.Authenticate(httptest.NewRequest(http.MethodGet, "/report?"+query, nil))
		switch {
		case err == nil:
			fmt.Println("accepted:", id)
		case errors.Is(err, auth.ErrNoCredentials):
			fmt.Println("nothing presented")
		default:
			fmt.Println("refused:", auth.ReasonOf(err))
		}
	}
	ask("")
	ask("ticket=alice.1800000000." + t.sign("alice", "1800000000"))
	ask("ticket=mallory.1800000000." + t.sign("alice", "1800000000"))
	ask("ticket=alice.1600000000." + t.sign("alice", "1600000000"))

	// Output:
	// nothing presented
	// accepted: ticket:alice
	// refused: bad_signature
	// refused: token_expired
}

// Interface guards
var (
	_ auth.Authenticator    = (*Ticket)(nil)
	_ auth.SourceLister     = (*Ticket)(nil)
	_ auth.Challenger       = (*Ticket)(nil)
	_ caddy.Provisioner     = (*Ticket)(nil)
	_ caddyfile.Unmarshaler = (*Ticket)(nil)
)
