// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddybolt/caddy-bolt/auth"
)

// maxSecretFile is the largest secret that is read, in bytes; it is also what
// {file.*} reads.
const maxSecretFile = 1 << 20

// maxAccepted is the largest token that any jwt accepts, in bytes.
const maxAccepted = 16 << 20

// jwtModule is the authenticator that signs.
const jwtModule = "http.auth.authenticators.jwt"

// keyFlags say which key signs.
type keyFlags struct {
	secretFile      string
	privateKeyFile  string
	algorithm       string
	insecureWeakKey bool
}

// signer returns a jwt authenticator with the key, which signs what it would
// accept. It is the one that a Caddyfile configures, so that secrets are
// decoded, keys are read and weak ones refused just as they are there.
func (f *keyFlags) signer(ctx caddy.Context, stdin io.Reader) (auth.Signer, error) {
	config := map[string]any{"max_size": maxAccepted, "cache": 0}
	if f.algorithm != "" {
		config["algorithms"] = []string{f.algorithm}
	}
	if f.insecureWeakKey {
		config["insecure_weak_key"] = true
	}
	switch {
	case (f.secretFile == "") == (f.privateKeyFile == ""):
		return nil, usage("give one of --secret-file and --private-key-file")
	case f.secretFile != "":
		secret, err := readSecret(f.secretFile, stdin)
		if err != nil {
			return nil, fmt.Errorf("--secret-file: %w", err)
		}
		ctx = auth.WithServices(ctx, secretService{secret: secret})
	default:
		path, err := keyPath(f.privateKeyFile)
		if err != nil {
			return nil, fmt.Errorf("--private-key-file: %w", err)
		}
		config["private_key"] = path
	}
	mod, err := loadJWT(ctx, config)
	if err != nil {
		return nil, err
	}
	signer, ok := mod.(auth.Signer)
	if !ok {
		return nil, fmt.Errorf("%T signs no tokens", mod)
	}
	return signer, signer.CanSign()
}

// loadJWT loads the module as a configuration does.
func loadJWT(ctx caddy.Context, config map[string]any) (any, error) {
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	mod, err := ctx.LoadModuleByID(jwtModule, raw)
	if err != nil {
		return nil, plainError(err)
	}
	return mod, nil
}

// readSecret reads the secret as {file.*} does.
func readSecret(path string, stdin io.Reader) ([]byte, error) {
	data, err := readBounded(path, stdin, "secret", maxSecretFile)
	if err != nil {
		return nil, err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if strings.TrimSpace(secret) == "" {
		return nil, errors.New("the secret is empty")
	}
	return []byte(secret), nil
}

// readBounded reads a file, or standard input for "-", of at most so many bytes.
func readBounded(path string, stdin io.Reader, what string, most int64) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("the %s is larger than %d bytes", what, most)
	}
	return data, nil
}

// keyPath says where the private key is, in a way that is neither a placeholder
// nor the key itself.
func keyPath(path string) (string, error) {
	if strings.Contains(path, "-----BEGIN") || strings.HasPrefix(strings.TrimSpace(path), "{") {
		return "", errors.New("give the path of the file, not the key")
	}
	info, err := os.Stat(path)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) && errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("no file %q", path)
		}
		return "", err
	}
	if info.IsDir() {
		return "", fmt.Errorf("%q is a folder", path)
	}
	return filepath.Abs(path)
}

// plainError leaves out of an error what the command line does not have: modules
// and a global block.
func plainError(err error) error {
	text := strings.TrimPrefix(err.Error(), "provision "+jwtModule+": ")
	return errors.New(strings.TrimPrefix(text, "global secret: "))
}

// secretService gives the jwt its secret, as the global block of a Caddyfile
// would.
type secretService struct {
	auth.Services
	secret []byte
}

func (s secretService) Secret() ([]byte, bool) { return s.secret, true }

// Interface guards
var _ auth.Services = secretService{}
