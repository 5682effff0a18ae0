// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	figuresFile  = "docs/performance.json"
	documentFile = "docs/PERFORMANCE.md"
	chartFile    = "docs/performance.svg"
	readmeFile   = "README.md"

	// What stands between these lines of README.md is written here.
	readmeBegin = "<!-- make bench writes what follows -->\n"
	readmeEnd   = "<!-- until here -->\n"
)

// write writes the figures and what is made of them.
func write(out string, r *results) error {
	if err := r.save(filepath.Join(out, figuresFile)); err != nil {
		return err
	}
	for name, text := range map[string]string{documentFile: r.markdown(), chartFile: r.svg()} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	path := filepath.Join(out, readmeFile)
	readme, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) { // a quick run
		fmt.Fprintf(os.Stderr, "%s and %s\n\n%s", filepath.Join(out, documentFile), chartFile, r.sentences())
		return nil
	}
	if err != nil {
		return err
	}
	text, err := r.readme(string(readme))
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// isRepository reports whether a folder is the one that the documentation is in.
func isRepository(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// readme puts the sentences into README.md.
func (r *results) readme(text string) (string, error) {
	before, rest, ok := strings.Cut(text, readmeBegin)
	_, after, ended := strings.Cut(rest, readmeEnd)
	if !ok || !ended {
		return "", fmt.Errorf("%s has no place for the figures: the lines %q and %q", readmeFile, strings.TrimSpace(readmeBegin), strings.TrimSpace(readmeEnd))
	}
	return before + readmeBegin + "\n" + r.sentences() + "\n" + readmeEnd + after, nil
}

// sentences are the three of README.md, from the figures. What was not
// measured is not spoken of.
func (r *results) sentences() string {
	var list []string
	seen, receiving := r.figures("seen"), r.figures("receiving")
	if r.Mode != "full" {
		list = append(list, fmt.Sprintf("(These are the figures of a %s run, which are worth little.)", r.Mode))
	}
	if seen != nil && receiving != nil {
		most := seen.Added
		for _, id := range []string{"seen-rs256", "seen-es256", "seen-eddsa", "revocation-memory", "revocation-bolt", "revocation-redis", "revocation-sql"} {
			if d := r.figures(id); d != nil {
				most = max(most, d.Added)
			}
		}
		s := fmt.Sprintf("A token that was seen before adds %s of CPU time to a request that takes Caddy %s, at most %s whatever its algorithm and the revocation store; receiving the token, which Caddy does without `auth` as well, takes %s more", us(seen.Added), us(seen.Base.CPU), us(most), us(receiving.Added))
		if p, q := r.figures("haproxy-hs256"), r.figures("fastify-cache"); p != nil && q != nil {
			s += fmt.Sprintf("; HAProxy's `jwt_verify` adds %s to %s, `@fastify/jwt` with its cache %s", us(p.Added), us(r.mostOf(p.Added, "haproxy-rs256", "haproxy-es256")), us(q.Added))
		}
		list = append(list, s+".")
	}
	if d := r.figures("unseen-hs256"); d != nil {
		s := fmt.Sprintf("A token never seen adds %s with HS256", us(d.Added))
		for alg, name := range map[string]string{"rs256": "RS256"} {
			if d, p := r.figures("unseen-"+alg), r.figures("haproxy-"+alg); d != nil && p != nil {
				s += fmt.Sprintf(" and %s with %s, where HAProxy adds %s", us(d.Added), name, us(p.Added))
			}
		}
		list = append(list, s+".")
	}
	if p := r.figures("haproxy-hs256"); p != nil && seen != nil {
		list = append(list, fmt.Sprintf("The whole request takes Caddy with a token seen before %s and HAProxy with HS256 %s of CPU time, %s and %s of memory: what is not better stands in [docs/PERFORMANCE.md](docs/PERFORMANCE.md), with everything else.",
			us(seen.Own.CPU), us(p.Own.CPU), mib(seen.Own.Peak), mib(p.Own.Peak)))
	}
	return strings.Join(list, " ") + "\n"
}

// mostOf is the largest of what rows add, and of a first figure.
func (r *results) mostOf(first float64, ids ...string) float64 {
	for _, id := range ids {
		if d := r.figures(id); d != nil {
			first = max(first, d.Added)
		}
	}
	return first
}
