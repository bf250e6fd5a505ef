/** Every token that is configured, by its digest. Hashing is asynchronous and reading settings is not: so the plain one comes here. */
import { sha256 } from 'hono/utils/crypto';
import type { Config } from '../config/config.ts';
import { plainToken, type Token } from '../config/tokens.ts';
import { BadSettings } from '../errors.ts';

/** Of each deployment in this isolate. */
const known = new WeakMap<Config, readonly Token[]>();

/** @throws BadSettings where the plain one is in the list, too: it would have the scopes of both */
export async function listTokens(config: Config): Promise<readonly Token[]> {
  const { SLUICE_TOKEN: plain, SLUICE_TOKENS: listed } = config;
  if (plain === undefined) return listed;
  const earlier = known.get(config);
  if (earlier) return earlier;
  const token = plainToken((await sha256(plain)) ?? '');
  if (listed.some(({ sha256 }) => sha256 === token.sha256)) {
    throw new BadSettings('SLUICE_TOKEN: must be one token: another has its digest');
  }
  const tokens = [token, ...listed];
  known.set(config, tokens);
  return tokens;
}
