// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Package revocation has the stores that remember which tokens were ended
// before their time: the modules of http.auth.revocation.
//
//	memory  gone when the process ends
//	bolt    a file in Caddy's data folder
//	sql     PostgreSQL, MySQL or MariaDB, shared by many Caddys
//
// One more, redis, is in a package of its own. All answer from memory alone. A
// store that needs files or connections opens them, or begins to, in
//
//	Start(context.Context) error
//
// which the app "auth" calls when it starts, and never in Provision, so that
// "caddy validate" works beside a running server. Until then such a store cannot
// decide. Cleanup releases what Provision and Start acquired.
package revocation
