// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestServersKeepTheirDataWhenTheyCrash(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]func(testing.TB) *Server{"PostgreSQL": OwnPostgreSQL, "MariaDB": OwnMariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := own(t)
			s.NewDatabase(t)
			if name == "MariaDB" {
				s.Execute(t, "CREATE TABLE mysql.caddybolt_kept (n int)")
			} else {
				s.Execute(t, "CREATE TABLE kept (n int)")
			}
			s.Stop()
			if err := s.ask(context.Background()); err == nil {
				t.Error("it answers after it was stopped")
			}
			s.Start(t)
			if name == "MariaDB" {
				s.Execute(t, "SELECT n FROM mysql.caddybolt_kept")
			} else {
				s.Execute(t, "SELECT n FROM kept")
			}
			s.end("")
			if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
				t.Errorf("its folder is left: %v", err)
			}
		})
	}
}

func TestProxyFailsAsNetworksDo(t *testing.T) {
	t.Parallel()
	s := PostgreSQL(t)
	p := NewProxy(t, s.Port)
	behind := &Server{Port: p.Port, User: s.User, Password: s.Password, kind: s.kind}
	answers := func(wait time.Duration) bool {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		return behind.kind.execute(ctx, behind, "SELECT 1") == nil
	}
	if !answers(patience) || p.Accepted() != 1 {
		t.Fatal("nothing comes through")
	}
	p.Freeze()
	if answers(100 * time.Millisecond) {
		t.Error("frozen, it answers")
	}
	p.Cut()
	if answers(10 * time.Second) {
		t.Error("cut, it answers")
	}
	p.Restore()
	if !answers(patience) {
		t.Error("restored, it does not answer")
	}
}
