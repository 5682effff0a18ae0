// Verifies tokens, one a line, with the keys that are published at an address,
// and prints a line for each: its subject and key, or what is wrong with it.
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [address, issuer, audience] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(address), { cooldownDuration: 0 });
for await (const token of createInterface({ input: process.stdin })) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, algorithms: ['ES256'] });
    console.log(`${payload.sub} ${protectedHeader.kid}`);
  } catch (error) {
    console.log(`refused ${error.code}`);
  }
}
