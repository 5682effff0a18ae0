// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Mints one token per algorithm with jose. It reads and writes what mint.py
// does.

import { readFileSync } from "node:fs";
import { SignJWT, importPKCS8 } from "jose";

const order = JSON.parse(readFileSync(0, "utf8"));
const tokens = {};
for (const [algorithm, text] of Object.entries(order.keys)) {
  const key = algorithm.startsWith("HS")
    ? new TextEncoder().encode(text)
    : await importPKCS8(text, algorithm);
  tokens[algorithm] = await new SignJWT({
    is_staff: true,
    is_superuser: false,
    username: "älice",
    permissions: ["reports.view", "reports.add"],
  })
    .setProtectedHeader({ alg: algorithm, typ: "JWT" })
    .setSubject("42")
    .setIssuer("https://id.example.com")
    .setAudience(["my-app", "other"])
    .setIssuedAt(order.now)
    .setExpirationTime(order.now + 3600)
    .sign(key);
}
process.stdout.write(JSON.stringify(tokens));
