// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is how Redis names scripts
	"encoding/hex"
	"slices"

	"github.com/redis/rueidis"

	"github.com/caddybolt/caddy-bolt/internal/replica"
)

// Write implements replica.Session.
func (s *session) Write(ctx context.Context, changes []replica.Change) []error {
	errs := make([]error, len(changes))
	list := make([]command, len(changes))
	now := s.now()
	for i, c := range changes {
		list[i] = s.script(change, s.source.keys.of(c.Entry), arguments(c, now)...)
	}
	results, err := s.run(ctx, list)
	for i := range changes {
		if err != nil {
			errs[i] = err
		} else {
			errs[i] = results[i].Error()
		}
	}
	return errs
}

// script is a program that the server runs on one key.
type script struct{ text, sum string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // it is how Redis names scripts
	return script{text: text, sum: hex.EncodeToString(sum[:])}
}

var change = newScript(changeScript)

// script returns the command that runs a script which the server knows.
func (s *session) script(program script, key string, args ...string) command {
	return command{link: s.link(key), key: key, program: program, args: append([]string{"EVALSHA", program.sum, "1"}, args...), keyAt: 2}
}

// run runs scripts. A server that does not know one gets its text.
func (s *session) run(ctx context.Context, list []command) ([]rueidis.RedisResult, error) {
	results, err := s.do(ctx, list)
	if err != nil {
		return nil, err
	}
	var again []command
	var indexes []int
	for i, r := range results {
		if e, ok := rueidis.IsRedisErr(r.Error()); ok && e.IsNoScript() {
			c := list[i] //nolint:gosec // do returns a result for each
			c.args = slices.Clone(c.args)
			c.args[0], c.args[1] = "EVAL", c.program.text
			again, indexes = append(again, c), append(indexes, i)
		}
	}
	if len(again) == 0 {
		return results, nil
	}
	late, err := s.do(ctx, again)
	if err != nil {
		return nil, err
	}
	for n, r := range late {
		results[indexes[n]] = r
	}
	return results, nil
}
