// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// An OpenID provider for trying things out: node-oidc-provider in its
// development mode, where every password will do.
//
//   node provider.mjs <port> <file of its keys>
//
// It makes the file when it is not there. SIGHUP makes a new key, which signs
// from then on; the former ones stay published until SIGUSR2 takes them out.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const [port, file] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const load = () => JSON.parse(readFileSync(file, 'utf8')).keys;
const save = (keys) => writeFileSync(file, JSON.stringify({ keys }), { mode: 0o600 });

async function newKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: `key-${Date.now()}`, use: 'sig', alg: 'RS256' };
}

function provider() {
  return new Provider(issuer, {
    jwks: { keys: load() },
    cookies: { keys: ['for trying things out'] },
    clients: [
      {
        client_id: 'worker',
        client_secret: 'worker-secret',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'browser',
        client_secret: 'browser-secret',
        redirect_uris: ['https://app.example.com/callback'],
      },
    ],
    pkce: { required: () => false },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, client) => (client.clientId === 'worker' ? 'https://api.example.com' : undefined),
        getResourceServerInfo: (_ctx, audience) => ({
          audience,
          scope: 'reports.read',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }).callback();
}

if (!existsSync(file)) save([await newKey()]);
let handler = provider();

process.on('SIGHUP', async () => {
  save([await newKey(), ...load()]);
  handler = provider();
  console.log('rotated');
});
process.on('SIGUSR2', () => {
  save(load().slice(0, 1));
  handler = provider();
  console.log('dropped');
});

createServer((req, res) => handler(req, res)).listen(Number(port), '127.0.0.1', () => console.log(`issuer ${issuer}`));
