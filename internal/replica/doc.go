// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package replica is what the revocation stores over a server have in common: a
// node that keeps a copy of everything that is revoked.
//
// A look-up asks the copy and nothing else. The copy is filled when the node
// connects, and follows the server from then on; while it is being filled, some
// servers are asked about what it does not hold yet. A node that has not heard
// from the server for some time trusts the copy only in what it says is revoked.
//
// The server may lose what it confirmed: it is restored from an old copy of its
// own, replaced by one that lags behind, emptied. At each connection the node
// therefore writes what it knows and the server lacks. That must not undo what
// somebody took back meanwhile, so taking back leaves a tombstone behind.
package replica
