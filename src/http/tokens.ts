/** Every token that is configured, by its digest. Hashing is asynchronous and reading settings is not: so the plain ones come here. */
import type { Config } from '../config/config.ts';
import { type PlainSetting, plainToken, type Token } from '../config/tokens.ts';
import { BadSettings } from '../errors.ts';
import { hexDigest } from '../formats/digest.ts';

/** Of each deployment in this isolate. */
const known = new WeakMap<Config, readonly Token[]>();

/** @throws BadSettings where a plain one is there twice: it would have the scopes of both */
export async function listTokens(config: Config): Promise<readonly Token[]> {
  if (config.SLUICE_TOKEN === undefined && config.CRON_SECRET === undefined) return config.SLUICE_TOKENS;
  const earlier = known.get(config);
  if (earlier) return earlier;
  const tokens = [...config.SLUICE_TOKENS];
  for (const name of ['CRON_SECRET', 'SLUICE_TOKEN'] satisfies PlainSetting[]) {
    const plain = config[name];
    if (plain === undefined) continue;
    const token = plainToken(name, await hexDigest(plain));
    if (tokens.some(({ sha256 }) => sha256 === token.sha256)) {
      throw new BadSettings(`${name}: must be one token: another has its digest`);
    }
    tokens.unshift(token);
  }
  known.set(config, tokens);
  return tokens;
}
