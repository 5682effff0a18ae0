// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/clock"
)

// tokenFlags are the flags of "caddy auth token".
type tokenFlags struct {
	key       keyFlags
	expiresIn string
	sub       string
	issuer    string
	audience  []string
	perms     []string
	staff     bool
	superuser bool
	claims    []string
	jsons     []string
	config    configFlags
	user      string
	endpoint  string
}

func tokenCommand() *cobra.Command { return newTokenCommand(clock.Clock{}) }

func newTokenCommand(now clock.Clock) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token (--secret-file <file|-> | --private-key-file <file>) --sub <user> [flags] | --config <file> --user <id>",
		Short: "Makes a JSON Web Token",
		Long: `
Makes a token that a jwt with the same key accepts, and prints it.

With --config and --user, it is one of a user of the configuration, as auth_token
would issue it: with its key, issuer, audience and claims, and what the user store
says of the user now. No password is asked: whoever reads the key can make any
token.

The secret file is read as {file.*} of a Caddyfile reads it: one line feed at its
end is not part of the secret, and "base64:" or "hex:" at its beginning says how
the rest is encoded. "-" is standard input. A private key is PEM or a JWK.

Every token has the claims iat, exp and jti.`,
		Example: `  caddy auth token --secret-file secret.txt --sub alice
  caddy auth token --private-key-file key.pem --sub alice --permission reports.read
  caddy auth token --config Caddyfile --user alice
  vault read … | caddy auth token --secret-file - --sub ci --expires-in 5m`,
	}
	var f tokenFlags
	flags := cmd.Flags()
	flags.StringVar(&f.key.secretFile, "secret-file", "", "The file that holds the secret; - is standard input")
	flags.StringVar(&f.key.privateKeyFile, "private-key-file", "", "The file that holds the private key")
	flags.StringVar(&f.key.algorithm, "algorithm", "", "The algorithm to sign with (default HS256 for a secret, or what fits the private key)")
	flags.BoolVar(&f.key.insecureWeakKey, "insecure-weak-key", false, "Accept a secret that is shorter than the hash, and RSA keys below 2048 bits")
	flags.StringVar(&f.expiresIn, "expires-in", "1h", "For how long the token is valid, such as 5m, 12h or 30d")
	flags.StringVar(&f.sub, "sub", "", "The subject: whose token it is")
	flags.StringVar(&f.issuer, "issuer", "", "The issuer")
	flags.StringArrayVar(&f.audience, "audience", nil, "An audience; may be repeated")
	flags.StringArrayVar(&f.perms, "permission", nil, "A permission; may be repeated")
	flags.BoolVar(&f.staff, "staff", false, "Set is_staff")
	flags.BoolVar(&f.superuser, "superuser", false, "Set is_superuser")
	flags.StringArrayVar(&f.claims, "claim", nil, "A further claim as name=text; may be repeated")
	flags.StringArrayVar(&f.jsons, "claim-json", nil, "A further claim as name=JSON, for numbers, lists and objects; may be repeated")
	f.config.add(cmd, "The configuration whose user it is")
	flags.StringVar(&f.user, "user", "", "With --config: the ID of the user, which is the subject of the token")
	flags.StringVar(&f.endpoint, "for", "", "With --config: the auth_token with this \"for\" (default the first)")
	prepare(cmd, func(cmd *cobra.Command, _ []string) error {
		if flags.Changed("config") || flags.Changed("user") || flags.Changed("for") {
			return f.mint(cmd)
		}
		claims, err := f.payload(now.Now())
		if err != nil {
			return err
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			return fmt.Errorf("encoding the claims: %w", err)
		}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: cmd.Context()})
		defer cancel()
		signer, err := f.key.signer(ctx, cmd.InOrStdin())
		if err != nil {
			return err
		}
		token, err := signer.Sign(ctx, payload)
		if err != nil {
			return fmt.Errorf("signing: %w", err)
		}
		if err := checkToken(ctx, signer, token, claims); err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	})
	return cmd
}

// checkToken refuses a token that no jwt accepts, such as one whose user is an API
// key's. What depends on the configuration, the claim that names the user, is not
// known here, and a token may be for later.
func checkToken(ctx context.Context, signer auth.Signer, token string, claims map[string]any) error {
	jwt, ok := signer.(auth.Authenticator)
	if !ok {
		return fmt.Errorf("%T accepts no tokens", signer)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	_, err = jwt.Authenticate(r)
	_, named := claims["sub"]
	switch reason := auth.ReasonOf(err); {
	case err == nil, reason == auth.ReasonMissingClaim && !named:
		return nil
	case reason == auth.ReasonTokenNotYetValid || reason == auth.ReasonTokenExpired:
		if named && auth.CandidateOf(err) == "" {
			return usage("no jwt accepts a token of this user: %q begins what is no token's", auth.APIKeyPrefix)
		}
		return nil
	default:
		return usage("no jwt accepts such a token: %v", err)
	}
}

// payload makes the claims of the token.
func (f *tokenFlags) payload(now time.Time) (map[string]any, error) {
	lifetime, err := caddy.ParseDuration(f.expiresIn)
	if err != nil || lifetime < time.Second {
		return nil, usage("--expires-in: %q is not a duration of a second or more, such as 5m, 12h or 30d", f.expiresIn)
	}
	claims := map[string]any{
		"iat": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
		"jti": rand.Text(), // 130 bits
	}
	add := func(flag, name string, value any) error {
		if name == "" {
			return usage("%s: the claim has no name", flag)
		}
		if _, taken := claims[name]; taken {
			return usage("%s: the claim %q is there already", flag, name)
		}
		claims[name] = value
		return nil
	}
	for _, c := range []struct {
		flag, name string
		given      bool
		value      any
	}{
		{"--sub", "sub", f.sub != "", f.sub},
		{"--issuer", "iss", f.issuer != "", f.issuer},
		{"--audience", "aud", len(f.audience) > 0, oneOrList(f.audience)},
		{"--permission", "permissions", len(f.perms) > 0, f.perms},
		{"--staff", "is_staff", f.staff, true},
		{"--superuser", "is_superuser", f.superuser, true},
	} {
		if c.given {
			if err := add(c.flag, c.name, c.value); err != nil {
				return nil, err
			}
		}
	}
	for _, claim := range f.claims {
		name, value, ok := strings.Cut(claim, "=")
		if !ok {
			return nil, usage("--claim: %q is not name=text", claim)
		}
		if err := add("--claim", name, value); err != nil {
			return nil, err
		}
	}
	for _, claim := range f.jsons {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || !json.Valid([]byte(value)) {
			return nil, usage("--claim-json: %q is not name=JSON", claim)
		}
		if err := add("--claim-json", name, json.RawMessage(value)); err != nil {
			return nil, err
		}
	}
	if _, ok := claims["sub"]; !ok && len(f.claims)+len(f.jsons) == 0 {
		return nil, usage("a token needs a user: give --sub, or with --claim the claim that user_claim names")
	}
	return claims, nil
}

// oneOrList is how "aud" is written (RFC 7519, section 4.1.3).
func oneOrList(words []string) any {
	if len(words) == 1 {
		return words[0]
	}
	return words
}
