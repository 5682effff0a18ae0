// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// checkFlags say which key verifies, and what else is asked of a token.
type checkFlags struct {
	secretFile      string
	publicKey       string
	jwksFile        string
	algorithms      []string
	issuer          string
	audience        string
	leeway          string
	insecureWeakKey bool
}

func (f *checkFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.secretFile, "secret-file", "", "The file that holds the secret; - is standard input")
	flags.StringVar(&f.publicKey, "public-key", "", "The file that holds the public key, as PEM or a JWK")
	flags.StringVar(&f.jwksFile, "jwks-file", "", "The file that holds a JWK set")
	flags.StringArrayVar(&f.algorithms, "algorithm", nil, "An algorithm that is allowed; may be repeated (default HS256 for a secret, or what fits the key)")
	flags.StringVar(&f.issuer, "issuer", "", "The issuer that the token must have (default any)")
	flags.StringVar(&f.audience, "audience", "", "The audience that the token must have (default any)")
	flags.StringVar(&f.leeway, "leeway", "", "How much clocks may differ (default 30s)")
	flags.BoolVar(&f.insecureWeakKey, "insecure-weak-key", false, "Accept a secret that is shorter than the hash, and RSA keys below 2048 bits")
}

// given reports whether there is a key.
func (f *checkFlags) given() bool { return f.secretFile != "" || f.publicKey != "" || f.jwksFile != "" }

// check refuses what makes no sense.
func (f *checkFlags) check() error {
	keys := 0
	for _, file := range []string{f.secretFile, f.publicKey, f.jwksFile} {
		if file != "" {
			keys++
		}
	}
	switch {
	case keys > 1:
		return usage("give one of --secret-file, --public-key and --jwks-file")
	case keys == 0 && (len(f.algorithms) > 0 || f.issuer != "" || f.audience != "" || f.leeway != "" || f.insecureWeakKey):
		return usage("--algorithm, --issuer, --audience, --leeway and --insecure-weak-key go with a key")
	default:
		return nil
	}
}

// blocks loads a jwt with the key: the one of a Caddyfile.
func (f *checkFlags) blocks(cmd *cobra.Command) ([]block, error) {
	config := map[string]any{}
	if len(f.algorithms) > 0 {
		config["algorithms"] = f.algorithms
	}
	if f.issuer != "" {
		config["issuers"] = []string{f.issuer}
	}
	if f.audience != "" {
		config["audiences"] = []string{f.audience}
	}
	if f.insecureWeakKey {
		config["insecure_weak_key"] = true
	}
	if f.leeway != "" {
		leeway, err := caddy.ParseDuration(f.leeway)
		if err != nil {
			return nil, usage("--leeway: %q is not a duration such as 30s", f.leeway)
		}
		config["leeway"] = leeway
	}
	ctx, _ := caddy.NewContext(caddy.Context{Context: cmd.Context()}) // until the program ends
	switch {
	case f.secretFile != "":
		secret, err := readSecret(f.secretFile, cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("--secret-file: %w", err)
		}
		ctx = auth.WithServices(ctx, secretService{secret: secret})
	case f.publicKey != "":
		path, err := keyPath(f.publicKey)
		if err != nil {
			return nil, fmt.Errorf("--public-key: %w", err)
		}
		config["public_keys"] = []string{path}
	default:
		path, err := keyPath(f.jwksFile)
		if err != nil {
			return nil, fmt.Errorf("--jwks-file: %w", err)
		}
		config["jwks_file"] = path
	}
	mod, err := loadJWT(ctx, config)
	if err != nil {
		return nil, err
	}
	authenticator, ok := mod.(auth.Authenticator)
	if !ok {
		return nil, fmt.Errorf("%T is no authenticator", mod)
	}
	return []block{{"a jwt with this key", authenticator}}, nil
}
