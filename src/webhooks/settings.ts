/** Settings of sources: what the Worker's bindings give to each, or why it is closed. */
import { readSecrets } from './secrets.ts';
import type { AnySource } from './source.ts';
import { canUse } from './verify.ts';

export interface Settings {
  /** Those that hold now. */
  secrets: string[];
  /** As it was defined, or as the binding of that name says. */
  url: string;
  /** Of which a subscription must have one. */
  tokens: () => string[];
  /** Why it takes nothing, for an operator: it names bindings, and nothing of what is in them. */
  closed?: string;
}

export function settingsOf(source: AnySource, env: object, nowMs: number): Settings {
  const { schemes, secret, url: named, verifyToken } = source;
  const secrets = readSecrets(bindingOf(env, secret), nowMs);
  const url = named === '' || URL.canParse(named) ? named : String(bindingOf(env, named) ?? '');
  const settings = { secrets, url, tokens: () => readSecrets(bindingOf(env, verifyToken), nowMs) };
  if (named !== '' && url === '') return { ...settings, closed: `the binding ${named} holds no URL` };
  if (secret === undefined) return settings;
  if (secrets.length === 0) return { ...settings, closed: `the binding ${secret} holds no secret` };
  const usable = secrets.every((one) => schemes.length === 0 || schemes.some((scheme) => canUse(scheme, one)));
  // Each must do: of several the others would hide, until it is the only one, that this one cannot.
  return usable ? settings : { ...settings, closed: `the binding ${secret} holds a secret that its scheme cannot use` };
}

const bindingOf = (env: object, name: string | undefined): unknown =>
  name ? (env as Record<string, unknown>)[name] : undefined;
