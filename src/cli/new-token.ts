/** A new token for the API: what its caller gets, what the Worker gets, and what goes where. */
import { createHash, randomBytes } from 'node:crypto';
import { readConfig } from '../config.ts';

export interface TokenFlags {
  name: string;
  /** With commas between, as on the command line. */
  scopes: string;
  queues: string;
}

export interface NewToken {
  token: string;
  /** Of the list in SLUICE_TOKENS: the digest only. */
  entry: { name: string; sha256: string; scopes: string[]; queues: string[] };
}

/** @throws BadSettings where the Worker would not take it */
export function newToken({ name, scopes, queues }: TokenFlags): NewToken {
  const token = randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const entry = { name, sha256, scopes: scopes.split(','), queues: queues.split(',') };
  readConfig({
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1',
    UPSTASH_REDIS_REST_TOKEN: '-',
    SLUICE_TOKENS: JSON.stringify([entry]),
  });
  return { token, entry };
}

export function explainToken({ token, entry }: NewToken): string {
  return `The token, for the caller; it is shown only now:

  ${token}

For the Worker, one entry of the list in SLUICE_TOKENS. If it is the first:

  echo '${JSON.stringify([entry])}' | npx wrangler secret put SLUICE_TOKENS

Otherwise put this into the list that you have, and store the whole list:

  ${JSON.stringify(entry)}`;
}
