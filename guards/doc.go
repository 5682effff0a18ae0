// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package guards holds the guards that come with the module: what stands behind
// the word "guard" of the auth directive, one file each.
//
// A guard answers nil, auth.ErrUnauthenticated when nobody is signed in, an
// error made with auth.Forbidden, auth.ErrEvaluation, or any other error when
// it could not decide. The guards any, all and not keep these apart, so that no
// way of writing a condition lets in who is not signed in, or lets a store that
// is down decide in anybody's favour: see outcome.go.
package guards
