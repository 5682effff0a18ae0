// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// An API key is keyPrefix, keyBytes random bytes as keyDigits digits, and the
// CRC-32 of all that as checkDigits digits. Prefix and check sum are for
// scanners that look for leaked keys: they tell a key from other text without
// asking anybody. The digits are those of base 62, so that a double click
// selects a key.
const (
	keyPrefix   = "caddybolt_"
	keyBytes    = 32
	keyDigits   = 43
	checkDigits = 6
)

var keyNames = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\z`)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key [--name <name>]",
		Short: "Makes an API key",
		Long: `
Makes an API key for the authenticator api_key, and prints it together with its
digest and the lines that accept it, in a Caddyfile and in a file of keys. Give
the key to the client and keep the digest: the key cannot be found out from it.

The key has 256 random bits. It begins with "` + keyPrefix + `" and ends with a check
sum, for programs that look for leaked keys.`,
		Example: "  caddy auth key --name ci-bot",
	}
	name := cmd.Flags().String("name", "my-key", "The name of the key; its requests come from apikey:<name>")
	prepare(cmd, func(cmd *cobra.Command, _ []string) error {
		if !keyNames.MatchString(*name) {
			return usage("--name: %q has characters other than letters, digits and . _ @ -, begins with none of the first two, or is longer than 64", *name)
		}
		key, err := newKey()
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(key))
		digest := "sha256:" + hex.EncodeToString(sum[:])
		_, err = fmt.Fprintf(cmd.OutOrStdout(), ""+
			"key        %s\n"+
			"digest     %s\n"+
			"Caddyfile  key %s %s\n"+
			"keys.json  {\"name\": %q, \"key\": %q}\n",
			key, digest, *name, digest, *name, digest)
		return err
	})
	return cmd
}

func newKey() (string, error) {
	var random [keyBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	key := keyPrefix + base62(new(big.Int).SetBytes(random[:]), keyDigits)
	return key + checkSum(key), nil
}

func checkSum(text string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text)))), checkDigits)
}

// base62 writes n with leading zeros.
func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}
