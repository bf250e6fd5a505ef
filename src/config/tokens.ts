/** Tokens as settings hold them: a list, and bindings of one token each, because a secret cannot be read back and added to. */
import { isText, must, parseJson, readEach } from './setting.ts';

/** What a bearer token may do. `admin` may tick, too. */
const SCOPES = ['enqueue', 'receive', 'admin', 'tick'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Token {
  /** For logs, and to tell rotating tokens apart. */
  name: string;
  /** SHA-256 of the token, in hex. */
  sha256: string;
  scopes: Scope[];
  /** Queues it may touch: names, or beginnings of names with `*` behind them. */
  queues: string[];
}

/** The settings that are one token as its caller has it: with which scopes. */
const PLAIN = { SLUICE_TOKEN: ['enqueue', 'receive', 'admin'], CRON_SECRET: ['tick'] } satisfies Record<
  string,
  Scope[]
>;
export type PlainSetting = keyof typeof PLAIN;
const LIST = 'SLUICE_TOKENS';
/** What bindings of one token begin with. */
const ONE = 'SLUICE_TOKEN_';

const isListOf = (isItem: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(isItem);

const FIELDS: Record<keyof Token, [holds: (value: unknown) => boolean, rule: string]> = {
  name: [isText(/^[\w.-]{1,64}$/), '1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-"'],
  sha256: [isText(/^[0-9a-f]{64}$/i), '64 hex digits'],
  scopes: [isListOf((scope) => SCOPES.includes(scope as Scope)), `a list of ${SCOPES.join(', ')}`],
  queues: [isListOf(isText(/^[\w.-]{0,64}\*?$/)), 'a list of names, or beginnings with "*" behind them'],
};

/**
 * @param list the setting SLUICE_TOKENS
 * @throws BadSettings
 */
export function readTokens(list: unknown, env: Record<string, unknown>): readonly Token[] {
  const entries = list === undefined ? [] : parseJson(list, LIST, 'a JSON array');
  must(Array.isArray(entries), LIST, 'a JSON array');
  const listed = entries.map((entry: unknown, index) => ({ at: `${LIST}.${index}`, entry, name: undefined }));
  const single = Object.keys(env)
    .filter((binding) => binding.startsWith(ONE))
    .map((at) => ({ at, entry: env[at], name: at.slice(ONE.length) }));
  const seen = new Set(Object.keys(PLAIN).filter((setting) => env[setting] !== undefined));
  return readEach([...listed, ...single], ({ at, entry, name }) => {
    const token = parseToken(parseJson(entry, at, 'a JSON object'), at, name);
    must(!seen.has(token.name) && !seen.has(token.sha256), at, 'one token: another has its name or its digest');
    seen.add(token.name).add(token.sha256);
    return token;
  });
}

/** A token as its caller has it. @throws BadSettings */
export const readPlainToken =
  (least: number) =>
  (value: unknown, setting: string): string | undefined => {
    const isLong = isText(/^[!-~]+$/)(value) && (value as string).length >= least;
    must(value === undefined || isLong, setting, `${least} or more characters, none of them a blank`);
    return value as string | undefined;
  };

/** Its entry, as the list would have it. */
export const plainToken = (name: PlainSetting, sha256: string): Token => ({
  name,
  sha256,
  scopes: [...PLAIN[name]],
  queues: ['*'],
});

function parseToken(entry: unknown, path: string, name: string | undefined): Token {
  must(typeof entry === 'object' && entry !== null && !Array.isArray(entry), path, 'a JSON object');
  const token = { name, queues: ['*'], ...entry } as Token;
  const isKnown = Object.keys(token).every((field) => Object.hasOwn(FIELDS, field));
  must(isKnown, path, `an object of ${Object.keys(FIELDS).join(', ')} only`);
  readEach(Object.entries(FIELDS), ([field, [holds, rule]]) =>
    must(holds(token[field as keyof Token]), `${path}.${field}`, rule),
  );
  return { ...token, sha256: token.sha256.toLowerCase() };
}
