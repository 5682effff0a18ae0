// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/secret"
)

// keySources makes the key sources that the configuration names, and chooses
// the key that signs: a generated one, or else the private key, or else the
// secret. The algorithms are
// those configured, in their order.
func (j *JWT) keySources(ctx caddy.Context, algorithms []algorithm, rules keyRules) ([]keySource, error) {
	var keys staticKeys
	if j.Private != "" {
		text, err := readKeyText(j.Private)
		if err != nil {
			return nil, fmt.Errorf("private_key: %w", err)
		}
		k, private, err := rules.privateKey(text)
		if err != nil {
			return nil, fmt.Errorf("private_key: %w", text.located(err))
		}
		if text.inline {
			j.warnInline("private_key")
		}
		keys = append(keys, k)
		if j.signing, err = newPrivateSigner(k, private, algorithms, j.Type); err != nil {
			return nil, fmt.Errorf("private_key: %w", text.located(err))
		}
	}
	if j.Secret != "" || j.namesNoKey() {
		k, err := j.secretKey(ctx, algorithms, rules)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	for i, public := range j.Public {
		text, err := readKeyText(public)
		if err != nil {
			return nil, fmt.Errorf("public_keys[%d]: %w", i, err)
		}
		k, err := rules.publicKey(text)
		if err != nil {
			return nil, fmt.Errorf("public_keys[%d]: %w", i, text.located(err))
		}
		keys = append(keys, k)
	}
	sources := []keySource{keys}
	if j.JWKSFile != "" {
		path, err := secret.Resolve(j.JWKSFile)
		if err != nil {
			return nil, fmt.Errorf("jwks_file: %w", err)
		}
		file := newJWKSFile(j.JWKSFile, path, rules, j.logger)
		file.ticks = j.ticks
		sources = append(sources, file)
	}
	if j.Generated {
		source, err := j.openGenerated(ctx, rules)
		if err != nil {
			return nil, fmt.Errorf("generated_key: %w", err)
		}
		sources = append(sources, source)
	}
	if j.usesRemote() {
		source, err := j.openRemote(rules)
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return sources, nil
}

// expand replaces placeholders in what tokens are compared with, so that it may
// stand in the environment.
func (j *JWT) expand() error {
	expand := func(text *string) error {
		if !strings.Contains(*text, "{") {
			return nil
		}
		resolved, err := secret.Resolve(*text)
		*text = resolved
		return err
	}
	for i := range j.Issuers {
		if err := expand(&j.Issuers[i]); err != nil {
			return fmt.Errorf("issuers[%d]: %w", i, err)
		}
	}
	for i := range j.Audiences {
		if err := expand(&j.Audiences[i]); err != nil {
			return fmt.Errorf("audiences[%d]: %w", i, err)
		}
	}
	if err := expand(&j.Subject); err != nil {
		return fmt.Errorf("subject: %w", err)
	}
	return nil
}

// namesNoKey reports whether the block leaves its key to the global secret.
func (j *JWT) namesNoKey() bool {
	return j.Private == "" && !j.Generated && len(j.Public) == 0 && j.JWKSFile == "" && !j.usesRemote()
}

// secretKey makes the key of the block's own secret or of the global one.
func (j *JWT) secretKey(ctx caddy.Context, algorithms []algorithm, rules keyRules) (*key, error) {
	option, text, err := j.secretText(ctx)
	if err != nil {
		return nil, err
	}
	decoded, err := decodeSecret(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	k, err := rules.newSecretKey(decoded, "", 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", option, err)
	}
	if j.signing == nil {
		j.signing = newSecretSigner(k, decoded, algorithms, j.Type)
	}
	return k, nil
}

// secretText returns the secret as it is written, and what the option is
// called that it comes from.
func (j *JWT) secretText(ctx caddy.Context) (option, text string, err error) {
	if j.Secret == "" {
		services, err := auth.ServicesOf(ctx)
		if err != nil {
			return "", "", err
		}
		global, ok := services.Secret()
		if !ok {
			return "", "", errors.New("no key: give secret, public_key, private_key, generated_key, jwks_file, jwks_url or oidc, or a global secret")
		}
		return "global secret", string(global), nil
	}
	if text, err = secret.Resolve(j.Secret); err != nil {
		return "", "", fmt.Errorf("secret: %w", err)
	}
	if secret.IsInline(j.Secret) {
		j.warnInline("secret")
	}
	return "secret", text, nil
}

func (j *JWT) warnInline(option string) {
	j.logger.Warn("the configuration itself holds a secret, which Caddy's admin API, autosave file and debug log show: use {env.NAME} or {file./path}",
		zap.String("option", option))
}
