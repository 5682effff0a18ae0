// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"strings"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Slots of the claims that every block reads (RFC 7519, section 4.1; "sid":
// OpenID Connect Front-Channel Logout). Those that the configuration names
// follow them.
const (
	claimIss = iota
	claimSub
	claimAud
	claimExp
	claimNbf
	claimIat
	claimJti
	claimSid
	registeredClaims
)

var registeredNames = [registeredClaims]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid"}

// claimRef is a claim that the configuration names: a member of the payload or,
// where no member has that name, a path into it, as in "realm_access.roles".
type claimRef struct {
	name string
	slot int
	path bool // the name has dots
}

// claimNames are the claims that a block reads.
type claimNames struct {
	index map[string]int
	slots int

	user                           claimRef
	staff, superuser, perms, needs []claimRef
}

// newClaimNames numbers them.
func newClaimNames(user string, staff, superuser, perms, needs []string) *claimNames {
	n := &claimNames{index: make(map[string]int), slots: registeredClaims}
	for slot, name := range registeredNames {
		n.index[name] = slot
	}
	n.user = n.ref(user)
	n.staff, n.superuser = n.refs(staff), n.refs(superuser)
	n.perms, n.needs = n.refs(perms), n.refs(needs)
	return n
}

func (n *claimNames) refs(names []string) []claimRef {
	var refs []claimRef
	for _, name := range names {
		refs = append(refs, n.ref(name))
	}
	return refs
}

func (n *claimNames) ref(name string) claimRef {
	slot, ok := n.index[name]
	if !ok {
		slot = n.slots
		n.index[name] = slot
		n.slots++
	}
	return claimRef{name: name, slot: slot, path: strings.Contains(name, ".")}
}

// parsePayload decodes the payload and finds the claims. Their types are
// looked at later, once the signature is known to be good.
func parsePayload(s *scratch, part string, names *claimNames) (err error) {
	if s.payload, err = decode(s.payload, part); err != nil {
		return err
	}
	if err := s.claims.parse(s.payload, names.index, names.slots); err != nil {
		return errPayload
	}
	return nil
}

// claim returns the JSON of the claim that the configuration names, or nil.
func (m *members) claim(ref claimRef) []byte {
	if m.has(ref.slot) || !ref.path {
		return m.value(ref.slot)
	}
	value, _ := auth.TrustedClaims(m.raw).LookupJSON(ref.name)
	return value
}

// isTrue reports whether one of the claims is JSON's true. Nothing else sets a
// flag: not "true", not 1.
func (m *members) isTrue(refs []claimRef) bool {
	for _, ref := range refs {
		if string(m.claim(ref)) == "true" {
			return true
		}
	}
	return false
}

// idText returns the text of the claim that names the user: a string, or a
// whole number taken as its digits.
func idText(value []byte) ([]byte, bool) {
	if text, ok := textOf(value); ok {
		return text, true
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return nil, false
		}
	}
	return value, len(value) > 0
}
