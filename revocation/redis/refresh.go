// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/caddybolt/caddy-bolt/auth"
	"github.com/caddybolt/caddy-bolt/internal/replica"
	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// A session is a hash: its text, and what Rotate compares. The clocks of nodes
// and of the server differ a little, so that its end is in it as well.
const sessionField = "session"

// The arguments are the text, the current digest, the end and the time in
// milliseconds, and for rotateSession the digest that must be there.
const (
	alive = `
local function alive()
  local till = redis.call('HGET', KEYS[1], 'until')
  return till and tonumber(till) > tonumber(ARGV[4])
end
local function put()
  redis.call('HSET', KEYS[1], 'session', ARGV[1], 'current', ARGV[2], 'until', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[3]) - tonumber(ARGV[4])))
  return 1
end
`
	create = `if alive() then return 0 end return put()`
	rotate = `if not alive() or redis.call('HGET', KEYS[1], 'current') ~= ARGV[5] then return 0 end return put()`
)

var createSession, rotateSession = newScript(alive + create), newScript(alive + rotate)

var (
	errTaken     = errors.New("there is a session of that ID")
	errNoSession = errors.New("session has no ID")
	errEnded     = errors.New("the end of the session has passed")
)

// CreateSession implements auth.RefreshStore.
func (r *Redis) CreateSession(ctx context.Context, s auth.Session) error {
	args, err := r.sessionArguments(s)
	if err != nil {
		return err
	}
	created, err := r.sessionScript(ctx, createSession, s.ID, args...)
	if err == nil && !created {
		err = errTaken
	}
	return refreshError(err)
}

// Session implements auth.RefreshStore.
func (r *Redis) Session(ctx context.Context, id string) (auth.Session, error) {
	if id == "" {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	reply, err := r.sessionCommand(ctx, id, "HGET", sessionField)
	if err != nil {
		return auth.Session{}, refreshError(err)
	}
	text, err := reply.AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return auth.Session{}, auth.ErrSessionNotFound
	case err != nil:
		return auth.Session{}, refreshError(err)
	}
	var s auth.Session
	if err := json.Unmarshal(text, &s); err != nil || s.ID != id {
		return auth.Session{}, refreshError(errors.New("what the server holds is no session"))
	}
	if !s.Until.After(r.Node().Now()) {
		return auth.Session{}, auth.ErrSessionNotFound
	}
	return s, nil
}

// Rotate implements auth.RefreshStore.
func (r *Redis) Rotate(ctx context.Context, current [32]byte, next auth.Session) (bool, error) {
	args, err := r.sessionArguments(next)
	if errors.Is(err, errEnded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	done, err := r.sessionScript(ctx, rotateSession, next.ID, append(args, string(current[:]))...)
	return done, refreshError(err)
}

// EndSession implements auth.RefreshStore.
func (r *Redis) EndSession(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	reply, err := r.sessionCommand(ctx, id, "DEL")
	if err == nil {
		err = reply.Error()
	}
	return refreshError(err)
}

// sessionArguments are those of the scripts.
func (r *Redis) sessionArguments(s auth.Session) ([]string, error) {
	if s.ID == "" {
		return nil, refreshError(errNoSession)
	}
	now := r.Node().Now()
	if !s.Until.After(now) {
		return nil, refreshError(errEnded)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, refreshError(err)
	}
	end := milliseconds(revoked.Nanoseconds(s.Until))
	return []string{string(text), string(s.Current[:]), strconv.FormatInt(end, 10), strconv.FormatInt(now.UnixMilli(), 10)}, nil
}

func (r *Redis) sessionScript(ctx context.Context, program script, id string, args ...string) (bool, error) {
	var done int64
	err := r.withServer(ctx, func(ctx context.Context, s *session) error {
		results, err := s.run(ctx, []command{s.script(program, r.source.keys.refresh+id, args...)})
		if err == nil {
			done, err = results[0].AsInt64()
		}
		return err
	})
	return done == 1, err
}

func (r *Redis) sessionCommand(ctx context.Context, id, name string, args ...string) (reply rueidis.RedisResult, err error) {
	err = r.withServer(ctx, func(ctx context.Context, s *session) error {
		key := r.source.keys.refresh + id
		results, err := s.do(ctx, []command{{link: s.link(key), key: key, args: append([]string{name}, args...)}})
		if err == nil {
			reply = results[0]
		}
		return err
	})
	return reply, err
}

// withServer waits for the server no longer than a write does, and not at all
// in an outage.
func (r *Redis) withServer(ctx context.Context, f func(context.Context, *session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Node().Enter(); err != nil {
		return err
	}
	defer r.Node().Leave()
	ctx, cancel := context.WithTimeout(ctx, replica.Timeout)
	defer cancel()
	s, err := r.source.current.Wait(ctx)
	if err != nil {
		return err
	}
	return f(ctx, s)
}

func refreshError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session store redis: %w", err)
}

// Interface guards
var _ auth.RefreshStore = (*Redis)(nil)
