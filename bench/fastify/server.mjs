// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// A fastify that answers "hello": to everybody, or to who has a token that
// @fastify/jwt accepts, with or without its cache.
import Fastify from 'fastify'
import jwt from '@fastify/jwt'

const [address, kind, secret, allowedIss, allowedAud] = process.argv.slice(2)
const [host, port] = address.split(':')

const fastify = Fastify({ logger: false })
if (kind !== 'open') {
  const verify = { algorithms: ['HS256'], allowedIss, allowedAud }
  if (kind === 'cache') {
    verify.cache = 10000
  }
  await fastify.register(jwt, { secret, verify })
  fastify.addHook('onRequest', (request) => request.jwtVerify())
}
fastify.get('/', async (request, reply) => {
  reply.type('text/plain; charset=utf-8')
  return 'hello'
})
await fastify.listen({ host, port: Number(port) })
