// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxkey "github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/caddybolt/caddy-bolt/auth"
)

// signingKey makes signatures that the block verifies.
type signingKey struct {
	header string // encoded, with the dot that follows it
	sign   func(signed string) ([]byte, error)
	public jwxkey.Key // nil: a secret has none
	set    []byte     // JWK set of public
}

// tokenHeader is the header of a token that is made here.
type tokenHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid,omitempty"`
}

// signingAlgorithm returns the first of the configured algorithms that the key
// serves, or the first that it serves at all.
func signingAlgorithm(k *key, configured []algorithm) algorithm {
	for _, alg := range configured {
		if k.algorithms.has(alg) {
			return alg
		}
	}
	return k.algorithms.first()
}

// newSecretSigner signs with a secret. typ is the type that the block asks of
// tokens, if any.
func newSecretSigner(k *key, secret []byte, configured []algorithm, typ string) *signingKey {
	alg := signingAlgorithm(k, configured)
	mac := newMAC(secret)
	return &signingKey{
		header: encodeHeader(alg, typ, ""),
		sign:   func(signed string) ([]byte, error) { return mac.sign(alg, signed) },
		set:    []byte(`{"keys":[]}`),
	}
}

// newPrivateSigner signs with a private key. A key without a name of its own is
// named by its thumbprint, so that those who verify with the published set can
// tell it from the next one.
func newPrivateSigner(k *key, private crypto.Signer, configured []algorithm, typ string) (*signingKey, error) {
	alg := signingAlgorithm(k, configured)
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(alg.String()))
	if err != nil {
		return nil, err
	}
	published, err := jwxkey.FromRaw(private.Public())
	if err != nil {
		return nil, err
	}
	kid := k.kid
	if kid == "" {
		if kid, err = thumbprint(published); err != nil {
			return nil, err
		}
	}
	for name, value := range map[string]string{jwxkey.KeyIDKey: kid, jwxkey.AlgorithmKey: alg.String(), jwxkey.KeyUsageKey: "sig"} {
		if err := published.Set(name, value); err != nil {
			return nil, err
		}
	}
	set, err := publicSet(published)
	if err != nil {
		return nil, err
	}
	return &signingKey{
		header: encodeHeader(alg, typ, kid),
		sign:   func(signed string) ([]byte, error) { return signer.Sign(view(signed), private) },
		public: published,
		set:    set,
	}, nil
}

// thumbprint names a key by what it is (RFC 7638).
func thumbprint(k jwxkey.Key) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	return encode(sum), err
}

func encodeHeader(alg algorithm, typ, kid string) string {
	if typ == "" {
		typ = "JWT"
	}
	text, _ := json.Marshal(tokenHeader{alg.String(), typ, kid}) // three strings
	return base64.RawURLEncoding.EncodeToString(text) + "."
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Name implements auth.Signer.
func (j *JWT) Name() string { return j.Label }

// CanSign implements auth.Signer.
func (j *JWT) CanSign() error {
	if j.signing == nil && j.generated == nil {
		return errors.New("only public keys are configured: signing needs secret, private_key or generated_key")
	}
	return nil
}

// Sign implements auth.Signer.
func (j *JWT) Sign(ctx context.Context, payload []byte) (string, error) {
	if err := j.CanSign(); err != nil {
		return "", err
	}
	claims, err := auth.ParseClaims(payload)
	if err != nil {
		return "", fmt.Errorf("payload: %w", err)
	}
	signing := j.signing
	if j.generated != nil {
		if signing, err = j.generated.signer(ctx, claims); err != nil {
			return "", fmt.Errorf("signing: %w", err)
		}
	}
	var token bytes.Buffer
	token.WriteString(signing.header)
	token.WriteString(encode(payload))
	signature, err := signing.sign(token.String())
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	token.WriteByte('.')
	token.WriteString(encode(signature))
	if token.Len() > j.maxSize() {
		return "", auth.Invalid(auth.ReasonMalformedToken, fmt.Sprintf("the token has %d bytes, more than max_size allows", token.Len()))
	}
	return token.String(), nil
}

// CheckPayload implements auth.PayloadChecker.
func (j *JWT) CheckPayload(payload []byte, at time.Time) (*auth.Identity, error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	if err := parsePayload(s, encode(payload), j.names); err != nil {
		return nil, err
	}
	var err error
	if s.issuer, err = j.issuer(&s.claims); err != nil {
		return nil, err
	}
	id, _, err := j.accept(s, &header{typ: []byte(j.typ), withTyp: j.typ != ""}, at)
	return id, err
}

// ClaimUse implements auth.ClaimReader.
func (j *JWT) ClaimUse(name string) auth.ClaimUse {
	switch {
	case name == j.UserClaim,
		slices.Contains(orDefault(j.StaffClaims, defaultStaff), name),
		slices.Contains(orDefault(j.SuperuserClaims, defaultSuperuser), name):
		return auth.ClaimIdentity
	case slices.Contains(orDefault(j.PermissionsClaims, defaultPermissions), name):
		return auth.ClaimPermissions
	default:
		return auth.ClaimOther
	}
}

// Issuer implements auth.Signer.
func (j *JWT) Issuer() string { return firstOf(j.Issuers) }

// Audience implements auth.Signer.
func (j *JWT) Audience() string { return firstOf(j.Audiences) }

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// PublicKeys implements auth.Signer.
func (j *JWT) PublicKeys() ([]byte, error) {
	if err := j.CanSign(); err != nil {
		return nil, err
	}
	if j.generated != nil {
		return j.generated.public()
	}
	return j.signing.set, nil
}

// publicSet returns the JWK set of public keys.
func publicSet(keys ...jwxkey.Key) ([]byte, error) {
	return json.Marshal(map[string][]jwxkey.Key{"keys": keys})
}

// Interface guards
var (
	_ auth.Signer         = (*JWT)(nil)
	_ auth.PayloadChecker = (*JWT)(nil)
	_ auth.ClaimReader    = (*JWT)(nil)
)
