// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// The control of every table below.
func TestGoodTokenOfEveryAlgorithmIsAccepted(t *testing.T) {
	t.Parallel()
	for alg := range algorithmCount {
		t.Run(alg.String(), func(t *testing.T) {
			t.Parallel()
			j := &JWT{Algorithms: []string{alg.String()}}
			sign := hs(alg, testSecret)
			if familyHMAC.has(alg) {
				j.Secret = secretRef
			} else {
				j.Public = []string{writeFile(t, publicPEM(t, keyFor(t, alg)))}
				sign = with(alg, keyFor(t, alg))
			}
			mustLoad(t, j)
			id := wantAccepted(t, j, joined(t, `{"alg":"`+alg.String()+`"}`, validPayload, sign))
			if id.ID != "alice" || id.Backend != "jwt" {
				t.Errorf("identity %+v", id)
			}
		})
	}
}

// Attack: the verifier takes the algorithm from the token, so that the public
// key, which everybody has, becomes the secret of an HMAC.
func TestPublicKeyIsNeverASecret(t *testing.T) {
	t.Parallel()
	for _, alg := range []algorithm{algRS256, algPS256, algES256, algES512, algEdDSA} {
		t.Run(alg.String(), func(t *testing.T) {
			t.Parallel()
			text := publicPEM(t, keyFor(t, alg))
			j := mustLoad(t, &JWT{Public: []string{writeFile(t, text)}})
			wantAccepted(t, j, joined(t, `{"alg":"`+alg.String()+`"}`, validPayload, with(alg, keyFor(t, alg))))
			for _, secret := range []string{text, strings.TrimSpace(text), strings.ReplaceAll(text, "\n", "")} {
				for _, mac := range []algorithm{algHS256, algHS384, algHS512} {
					token := joined(t, `{"alg":"`+mac.String()+`"}`, validPayload, hs(mac, secret))
					wantRefused(t, j, token, auth.ReasonUnsupportedAlgorithm)
				}
			}
		})
	}

	// The same beside a secret of its own: HS256 is allowed then, with the
	// secret alone.
	text := publicPEM(t, keyFor(t, algRS256))
	j := mustLoad(t, &JWT{Secret: secretRef, Public: []string{writeFile(t, text)}})
	wantAccepted(t, j, hs256(t, validPayload))
	wantAccepted(t, j, joined(t, `{"alg":"RS256"}`, validPayload, with(algRS256, keyFor(t, algRS256))))
	wantRefused(t, j, joined(t, `{"alg":"HS256"}`, validPayload, hs(algHS256, text)), auth.ReasonBadSignature)
}

// Attack: a key is used with an algorithm of its family that nobody allowed.
func TestAlgorithmOutsideTheListIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef, Public: []string{writeFile(t, publicPEM(t, keyFor(t, algRS256)))}, Algorithms: []string{"HS384", "RS256"}})
	for _, alg := range []algorithm{algHS384, algRS256} {
		sign := with(alg, keyFor(t, algRS256))
		if alg == algHS384 {
			sign = hs(alg, testSecret)
		}
		wantAccepted(t, j, joined(t, `{"alg":"`+alg.String()+`"}`, validPayload, sign))
	}
	for _, alg := range []algorithm{algHS256, algHS512} {
		wantRefused(t, j, joined(t, `{"alg":"`+alg.String()+`"}`, validPayload, hs(alg, testSecret)), auth.ReasonUnsupportedAlgorithm)
	}
	for _, alg := range []algorithm{algRS384, algRS512, algPS256} {
		wantRefused(t, j, joined(t, `{"alg":"`+alg.String()+`"}`, validPayload, with(alg, keyFor(t, alg))), auth.ReasonUnsupportedAlgorithm)
	}
}

// Attack: header and signature disagree about the algorithm.
func TestSignatureOfAnotherAlgorithmIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Public: []string{writeFile(t, publicPEM(t, keyFor(t, algRS256)))}})
	for _, header := range []algorithm{algRS256, algRS384, algPS256, algPS512} {
		for _, signed := range []algorithm{algRS256, algRS384, algPS256, algPS512} {
			token := joined(t, `{"alg":"`+header.String()+`"}`, validPayload, with(signed, keyFor(t, signed)))
			if header == signed {
				wantAccepted(t, j, token)
			} else {
				wantRefused(t, j, token, auth.ReasonBadSignature)
			}
		}
	}
}

// Attack: what the header may say to be believed without a signature, with
// another one, or to point to a key of the attacker's.
func TestHostileHeaderIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	deep := strings.Repeat("[", maxDepth-1) + `"[[[\"[[["` + strings.Repeat("]", maxDepth-1)
	for name, c := range map[string]struct {
		header string
		reason auth.Reason
	}{
		"none":                          {`{"alg":"none"}`, auth.ReasonUnsupportedAlgorithm},
		"None":                          {`{"alg":"None"}`, auth.ReasonUnsupportedAlgorithm},
		"NONE":                          {`{"alg":"NONE"}`, auth.ReasonUnsupportedAlgorithm},
		"nOnE":                          {`{"alg":"nOnE"}`, auth.ReasonUnsupportedAlgorithm},
		"lower case":                    {`{"alg":"hs256"}`, auth.ReasonUnsupportedAlgorithm},
		"space after":                   {`{"alg":"HS256 "}`, auth.ReasonUnsupportedAlgorithm},
		"NUL after":                     {`{"alg":"HS256\u0000"}`, auth.ReasonUnsupportedAlgorithm},
		"empty":                         {`{"alg":""}`, auth.ReasonUnsupportedAlgorithm},
		"ES256K":                        {`{"alg":"ES256K"}`, auth.ReasonUnsupportedAlgorithm},
		"an algorithm of encryption":    {`{"alg":"dir","enc":"A256GCM"}`, auth.ReasonUnsupportedAlgorithm},
		"RS256 for a secret":            {`{"alg":"RS256"}`, auth.ReasonUnsupportedAlgorithm},
		"absent":                        {`{"typ":"JWT"}`, auth.ReasonMalformedToken},
		"name folded in case":           {`{"ALG":"HS256"}`, auth.ReasonMalformedToken},
		"name folded in case, beside":   {`{"alg":"none","ALG":"HS256"}`, auth.ReasonUnsupportedAlgorithm},
		"number":                        {`{"alg":256}`, auth.ReasonMalformedToken},
		"list":                          {`{"alg":["HS256"]}`, auth.ReasonMalformedToken},
		"null":                          {`{"alg":null}`, auth.ReasonMalformedToken},
		"duplicate":                     {`{"alg":"none","alg":"HS256"}`, auth.ReasonMalformedToken},
		"duplicate, escaped":            {`{"alg":"HS256","\u0061lg":"HS256"}`, auth.ReasonMalformedToken},
		"duplicate below":               {`{"alg":"HS256","x":{"a":1,"a":2}}`, auth.ReasonMalformedToken},
		"crit":                          {`{"alg":"HS256","crit":["exp"]}`, auth.ReasonMalformedToken},
		"crit, empty":                   {`{"alg":"HS256","crit":[]}`, auth.ReasonMalformedToken},
		"crit, null":                    {`{"alg":"HS256","crit":null}`, auth.ReasonMalformedToken},
		"crit, of a name it knows":      {`{"alg":"HS256","crit":["alg"]}`, auth.ReasonMalformedToken},
		"b64":                           {`{"alg":"HS256","b64":false,"crit":["b64"]}`, auth.ReasonMalformedToken},
		"b64 without crit":              {`{"alg":"HS256","b64":false}`, auth.ReasonMalformedToken},
		"b64 true":                      {`{"alg":"HS256","b64":true}`, auth.ReasonMalformedToken},
		"cty JWT":                       {`{"alg":"HS256","cty":"JWT"}`, auth.ReasonMalformedToken},
		"cty jwt":                       {`{"alg":"HS256","cty":"jwt"}`, auth.ReasonMalformedToken},
		"cty application/jwt":           {`{"alg":"HS256","cty":"Application/JWT"}`, auth.ReasonMalformedToken},
		"cty number":                    {`{"alg":"HS256","cty":1}`, auth.ReasonMalformedToken},
		"kid number":                    {`{"alg":"HS256","kid":1}`, auth.ReasonMalformedToken},
		"kid object":                    {`{"alg":"HS256","kid":{}}`, auth.ReasonMalformedToken},
		"typ number":                    {`{"alg":"HS256","typ":1}`, auth.ReasonMalformedToken},
		"typ null":                      {`{"alg":"HS256","typ":null}`, auth.ReasonMalformedToken},
		"text after":                    {`{"alg":"HS256"}x`, auth.ReasonMalformedToken},
		"a second object":               {`{"alg":"HS256"}{}`, auth.ReasonMalformedToken},
		"NUL after the object":          {"{\"alg\":\"HS256\"}\x00", auth.ReasonMalformedToken},
		"control byte":                  {"{\"alg\":\"HS256\",\"x\":\"\x01\"}", auth.ReasonMalformedToken},
		"invalid UTF-8":                 {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", auth.ReasonMalformedToken},
		"surrogate alone":               {`{"alg":"HS256","x":"\ud800"}`, auth.ReasonMalformedToken},
		"byte order mark":               {"\ufeff" + `{"alg":"HS256"}`, auth.ReasonMalformedToken},
		"list instead of object":        {`["HS256"]`, auth.ReasonMalformedToken},
		"text instead of object":        {`"HS256"`, auth.ReasonMalformedToken},
		"null instead of object":        {`null`, auth.ReasonMalformedToken},
		"nothing":                       {``, auth.ReasonMalformedToken},
		"space":                         {` `, auth.ReasonMalformedToken},
		"trailing comma":                {`{"alg":"HS256",}`, auth.ReasonMalformedToken},
		"comment":                       {`{"alg":"HS256"/**/}`, auth.ReasonMalformedToken},
		"not closed":                    {`{"alg":"HS256"`, auth.ReasonMalformedToken},
		"deep nesting that never ends":  {`{"alg":"HS256","x":` + strings.Repeat("[", 4000), auth.ReasonMalformedToken},
		"deeper than the decoder goes":  {`{"alg":"HS256","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, auth.ReasonMalformedToken},
		"deeper than anybody goes":      {`{"alg":"HS256","x":[` + deep + `]}`, auth.ReasonMalformedToken},
		"a number that is none":         {`{"alg":"HS256","x":01}`, auth.ReasonMalformedToken},
		"names that differ by a escape": {`{"alg":"HS256","\u0063rit":["exp"]}`, auth.ReasonMalformedToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, j, joined(t, c.header, validPayload, hs(algHS256, testSecret)), c.reason)
			unsigned := encode([]byte(c.header)) + "." + encode([]byte(validPayload)) + "."
			wantRefused(t, j, unsigned, c.reason)
		})
	}
	for name, header := range map[string]string{
		"plain":                 `{"alg":"HS256"}`,
		"spaces":                " {\r\n\t\"alg\" : \"HS256\" } ",
		"escaped name":          `{"\u0061lg":"HS256"}`,
		"escaped value":         `{"alg":"\u0048S256"}`,
		"a kid nobody knows":    `{"alg":"HS256","kid":"../../dev/null"}`,
		"cty of another type":   `{"alg":"HS256","cty":"text/plain"}`,
		"deep but whole":        `{"alg":"HS256","x":` + deep + `}`,
		"case of another name":  `{"alg":"HS256","CRIT":["exp"],"Kid":1}`,
		"a key of the token's":  `{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"jku":"https://evil.example/","x5u":"https://evil.example/","x5c":["AA"]}`,
		"a number that is huge": `{"alg":"HS256","x":1e999999}`,
	} {
		t.Run("control: "+name, func(t *testing.T) {
			t.Parallel()
			wantAccepted(t, j, joined(t, header, validPayload, hs(algHS256, testSecret)))
		})
	}
}

// Attack: the token brings the key that it was signed with.
func TestKeyWithinTheTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	own := testKeys().otherRSA
	members, _, err := publicMembers(own.Public())
	if err != nil {
		t.Fatal(err)
	}
	header := `{"alg":"RS256","jwk":{"kty":"RSA","n":"` + members["n"] + `","e":"` + members["e"] + `"}}`
	j := mustLoad(t, &JWT{Public: []string{writeFile(t, publicPEM(t, keyFor(t, algRS256)))}})
	wantRefused(t, j, joined(t, header, validPayload, with(algRS256, own)), auth.ReasonBadSignature)
	wantAccepted(t, j, joined(t, header, validPayload, with(algRS256, keyFor(t, algRS256))))
}

// Attack: text that is not shaped like a token, made to cost time or memory
// (CVE-2025-30204) or to be read in two ways.
func TestTextThatIsNoTokenIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	good := hs256(t, validPayload)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"a word":                "token",
		"an API key":            "sk-prod-123abc",
		"one dot":               parts[0] + "." + parts[1],
		"two dots alone":        "..",
		"three dots":            good + ".",
		"five parts":            "a.b.c.d.e",
		"a million dots":        strings.Repeat(".", 1_000_000),
		"dots within":           parts[0] + "." + strings.Repeat(".", 1000) + parts[1] + "." + parts[2],
		"no header":             "." + parts[1] + "." + parts[2],
		"no payload":            parts[0] + ".." + parts[2],
		"JSON serialization":    `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"JSON that has dots":    `{"a":"..","b":1}`,
		"padding in header":     parts[0] + "=." + parts[1] + "." + parts[2],
		"padding in payload":    parts[0] + "." + parts[1] + "==." + parts[2],
		"padding in signature":  good + "=",
		"line feed in header":   parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
		"line feed in payload":  parts[0] + "." + parts[1] + "\n." + parts[2],
		"line feed at the end":  good + "\n",
		"CR in signature":       good[:len(good)-4] + "\r" + good[len(good)-4:],
		"space at the end":      good + " ",
		"NUL at the end":        good + "\x00",
		"NUL in payload":        parts[0] + "." + parts[1][:3] + "\x00" + parts[1][3:] + "." + parts[2],
		"standard alphabet":     parts[0] + ".++//." + parts[2],
		"percent":               parts[0] + "%2e" + parts[1] + "." + parts[2] + ".",
		"a length that is none": parts[0] + ".A." + parts[2],
		"payload is a list":     hs256(t, `[]`),
		"payload is text":       hs256(t, `"alice"`),
		"payload is null":       hs256(t, `null`),
		"payload is nothing":    hs256(t, ``),
		"payload with more":     hs256(t, validPayload+"x"),
		"payload with a NUL":    hs256(t, validPayload+"\x00"),
		"duplicate claim":       hs256(t, `{"sub":"alice","sub":"root","exp":1700003600}`),
		"duplicate, escaped":    hs256(t, `{"sub":"alice","\u0073ub":"root","exp":1700003600}`),
		"duplicate below":       hs256(t, `{"sub":"alice","exp":1700003600,"x":[{"y":{"a":1,"a":1}}]}`),
		"invalid UTF-8":         hs256(t, "{\"sub\":\"al\xc3ce\",\"exp\":1700003600}"),
		"control byte":          hs256(t, "{\"sub\":\"al\nice\",\"exp\":1700003600}"),
		"too deep":              hs256(t, `{"sub":"alice","exp":1700003600,"x":`+strings.Repeat(`{"a":`, 20000)+`1`+strings.Repeat(`}`, 20000)+`}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, j, token, auth.ReasonMalformedToken)
		})
	}
}

// Attack: one token in several spellings, each of which a cache, a revocation
// list or a log takes for another.
func TestEverySpellingButOneIsRefused(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	good := hs256(t, validPayload)
	wantAccepted(t, j, good)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	// HS256 signatures have 32 bytes: the last character carries two bits that
	// belong to none of them.
	last := strings.IndexByte(alphabet, good[len(good)-1])
	for spare := 1; spare < 4; spare++ {
		token := good[:len(good)-1] + string(alphabet[last|spare])
		lenient, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
		if err != nil || len(lenient) != 32 {
			t.Fatalf("the variant is none: %v", err)
		}
		wantRefused(t, j, token, auth.ReasonMalformedToken)
	}
	// Any other byte in any place.
	for i := range good {
		for _, c := range []byte{'A', '.', '=', '\n', 0, 0xff, good[i] ^ 1, good[i] ^ 0x20} {
			if c == good[i] {
				continue
			}
			changed := []byte(good)
			changed[i] = c
			if id, err := check(t, j, string(changed)); err == nil {
				t.Fatalf("accepted with byte %d changed: %v", i, id)
			}
		}
	}
	for i := range len(good) + 1 {
		if id, err := check(t, j, good[:i]); err == nil && i != len(good) {
			t.Fatalf("accepted when cut at %d: %v", i, id)
		}
	}
}

// Attack: signatures of the wrong length, empty ones above all.
func TestSignatureOfTheWrongLengthIsRefused(t *testing.T) {
	t.Parallel()
	for _, alg := range []algorithm{algHS256, algRS256, algPS256, algES256, algES512, algEdDSA} {
		t.Run(alg.String(), func(t *testing.T) {
			t.Parallel()
			k := mustKey(t, alg)
			set := newKeySet([]*key{k}, [32]byte{})
			signed := encode([]byte(`{"alg":"`+alg.String()+`"}`)) + "." + encode([]byte(validPayload))
			var signature []byte
			var err error
			if familyHMAC.has(alg) {
				signature, err = hs(alg, testSecret)(signed)
			} else {
				signature, err = signWith(keyFor(t, alg), alg, signed)
			}
			if err != nil {
				t.Fatal(err)
			}
			h := &header{alg: alg, known: true}
			if err := set.verify(h, signed, signature); err != nil {
				t.Fatalf("control: %v", err)
			}
			for name, bad := range map[string][]byte{
				"nil":        nil,
				"empty":      {},
				"one less":   signature[:len(signature)-1],
				"one more":   append(append([]byte(nil), signature...), 0),
				"half":       signature[:len(signature)/2],
				"twice":      append(append([]byte(nil), signature...), signature...),
				"zeroes":     make([]byte, len(signature)),
				"zero ahead": append([]byte{0}, signature...),
			} {
				if err := set.verify(h, signed, bad); auth.ReasonOf(err) != auth.ReasonBadSignature {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

func TestTokenAboveMaxSizeIsRefusedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef, MaxSize: 1000})
	fits := hs256(t, `{"sub":"alice","exp":1700003600,"x":"`+strings.Repeat("x", 500)+`"}`)
	if id, err := j.Authenticate(bearer(fits)); err != nil {
		t.Errorf("refused %d bytes: %v", len(fits), err)
	} else if id.ID != "alice" {
		t.Errorf("identity %v", id)
	}
	for _, size := range []int{1000, 100_000, 1_000_000} {
		token := hs256(t, `{"sub":"alice","exp":1700003600,"x":"`+strings.Repeat("x", size)+`"}`)
		id, err := j.Authenticate(bearer(token))
		if id != nil || auth.ReasonOf(err) != auth.ReasonMalformedToken {
			t.Errorf("%d bytes: %v, %v", len(token), id, err)
		}
	}
	// Without the option: 16 KiB.
	j = mustLoad(t, &JWT{Secret: secretRef})
	if _, err := j.Authenticate(bearer(strings.Repeat("x", 16<<10+1))); err == nil || !strings.Contains(err.Error(), "max_size") {
		t.Errorf("error %v", err)
	}
}

// A million distinct bad tokens leave nothing behind: what is kept of headers
// comes from tokens with a good signature and is bounded.
func TestKnownHeadersAreBoundedAndNotTheAttackers(t *testing.T) {
	t.Parallel()
	j := mustLoad(t, &JWT{Secret: secretRef})
	for i := range 100 {
		header := `{"alg":"HS256","kid":"` + strings.Repeat("k", i) + `"}`
		wantRefused(t, j, joined(t, header, validPayload, hs(algHS256, "another secret of thirty-two bytes")), auth.ReasonBadSignature)
	}
	if known := j.headers.byText.Load(); known != nil {
		t.Fatalf("%d headers of bad tokens are kept", len(*known))
	}
	for i := range 100 {
		header := `{"alg":"HS256","kid":"` + strings.Repeat("k", i) + `"}`
		wantAccepted(t, j, joined(t, header, validPayload, hs(algHS256, testSecret)))
	}
	if n := len(*j.headers.byText.Load()); n != maxKnownHeaders {
		t.Errorf("%d headers are kept, want %d", n, maxKnownHeaders)
	}
	// A header that is known is no licence for a bad signature.
	wantRefused(t, j, joined(t, `{"alg":"HS256","kid":""}`, validPayload, hs(algHS256, "another secret of thirty-two bytes")), auth.ReasonBadSignature)
}

// No input takes long, whatever it is made of.
func TestHostileTokensAreJudgedQuickly(t *testing.T) {
	j := mustLoad(t, &JWT{Secret: secretRef})
	size := 8 << 10
	for name, payload := range map[string]string{
		"lists":       `{"x":` + strings.Repeat("[", size) + strings.Repeat("]", size) + "}",
		"objects":     strings.Repeat(`{"a":`, size/4) + "1" + strings.Repeat("}", size/4),
		"members":     `{` + strings.TrimSuffix(manyMembers(size/8), ",") + `}`,
		"digits":      `{"exp":` + strings.Repeat("9", size) + `}`,
		"exponent":    `{"exp":1e` + strings.Repeat("9", size) + `}`,
		"backslashes": `{"sub":"` + strings.Repeat(`\\`, size/2) + `"}`,
		"escapes":     `{"sub":"` + strings.Repeat(`\u0041`, size/6) + `"}`,
	} {
		token := hs256(t, payload)
		start := time.Now()
		const runs = 20
		for range runs {
			_, _ = check(t, j, token)
		}
		if per := time.Since(start) / runs; per > 50*time.Millisecond { // generous: the worst takes some 0.2 ms
			t.Errorf("%s: %v each", name, per)
		}
	}
}

// manyMembers returns n members with names of their own.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"` + string(rune('a'+i%26)) + strings.Repeat("b", i/26%7) + string(rune(0x4e00+i)) + `":1,`)
	}
	return b.String()
}
