// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package jwtauth

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const pemBegin = "-----BEGIN "

// pemBlock returns the one block of data that holds a key: of a chain of
// certificates the first, which is the leaf, and not the parameters that some
// tools write before an elliptic curve key.
func pemBlock(data []byte) (*pem.Block, error) {
	var found *pem.Block
	blocks := 0
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks++
		switch {
		case block.Type == "EC PARAMETERS":
		case found == nil:
			found = block
		case found.Type == "CERTIFICATE" && block.Type == "CERTIFICATE":
		default:
			return nil, errors.New("holds more than one key")
		}
	}
	if blocks != bytes.Count(data, []byte(pemBegin)) {
		return nil, errors.New("holds a PEM block that is damaged or not complete")
	}
	if found == nil {
		return nil, errors.New("holds no key in PEM")
	}
	return found, nil
}

// parsePublicPEM reads a public key: PKIX, PKCS #1 or the one of a certificate.
func parsePublicPEM(data []byte) (crypto.PublicKey, error) {
	block, err := pemBlock(data)
	if err != nil {
		return nil, err
	}
	var public crypto.PublicKey
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = certificate.PublicKey
		}
	default:
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil, errors.New("holds a private key, which belongs to private_key")
		}
		return nil, fmt.Errorf("holds a PEM block of type %q, not PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("holds a %s that does not parse", block.Type) // the parser's own words may quote the key
	}
	return public, nil
}

// parsePrivatePEM reads a private key: PKCS #8, PKCS #1 or SEC 1.
func parsePrivatePEM(data []byte) (crypto.Signer, error) {
	block, err := pemBlock(data)
	if err != nil {
		return nil, err
	}
	var private any
	switch {
	case block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("holds a private key that is encrypted with a passphrase, for which there is no option")
	case block.Type == "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("holds a PEM block of type %q, not PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("holds a %s that does not parse", block.Type)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("holds a key that cannot sign")
	}
	return signer, nil
}
