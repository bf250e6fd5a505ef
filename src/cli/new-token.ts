/** A new token for the API: what its caller gets, what the Worker gets, and what goes where. */
import { createHash, randomBytes } from 'node:crypto';
import { readConfig } from '../config/config.ts';
import { BadSettings } from '../errors.ts';

export interface TokenFlags {
  /** Left out, a new one: two tokens of one name are refused. */
  name?: string;
  /** With commas between, as on the command line. */
  scopes: string;
  queues: string;
}

export interface NewToken {
  token: string;
  /** Of the list in SLUICE_TOKENS, or a binding of its own: the digest only. */
  entry: { name: string; sha256: string; scopes: string[]; queues: string[] };
}

/** What nobody guesses. */
export const newSecret = () => randomBytes(32).toString('base64url');

/** @throws BadSettings where the Worker would not take it */
export function newToken({ name, scopes, queues }: TokenFlags): NewToken {
  const token = newSecret();
  const sha256 = createHash('sha256').update(token).digest('hex');
  const entry = {
    name: name ?? `caller-${sha256.slice(0, 6)}`,
    sha256,
    scopes: scopes.split(','),
    queues: queues.split(','),
  };
  judge(entry);
  return { token, entry };
}

/** @throws BadSettings that names the option */
function judge(entry: NewToken['entry']): void {
  const tokens = { SLUICE_TOKENS: JSON.stringify([entry]) };
  try {
    readConfig({ UPSTASH_REDIS_REST_URL: 'http://127.0.0.1', UPSTASH_REDIS_REST_TOKEN: '-', ...tokens });
  } catch (error) {
    if (!(error instanceof BadSettings)) throw error;
    throw new BadSettings(error.message.replaceAll('SLUICE_TOKENS.0.', '--'));
  }
}

export function explainToken({ token, entry }: NewToken): string {
  const binding = `SLUICE_TOKEN_${entry.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;
  return `The token, for the caller; it is shown only now:

  ${token}

For the Worker, its digest, as a secret of its own beside those of other tokens:

  echo '${JSON.stringify(entry)}' | npx wrangler secret put ${binding}

To take it back: npx wrangler secret delete ${binding}
The first token of a deployment may be stored as it is, with every scope: SLUICE_TOKEN=… in .prod.vars.`;
}
