/** Settings of sources: what the Worker's bindings give to each, or why it is closed. */
import type { Keys } from './handshake.ts';
import { readSecrets } from './secrets.ts';
import type { AnySource } from './source.ts';
import { canUse } from './verify.ts';

export interface Settings extends Keys {
  /** As it was defined, or as the binding of that name says. */
  url: string;
}

export function readSettings(source: AnySource, env: object, nowMs: number): Settings {
  const { schemes, secret, url: named, verifyToken } = source;
  const secrets = readSecrets(readBinding(env, secret), nowMs);
  const url = named === '' || URL.canParse(named) ? named : String(readBinding(env, named) ?? '');
  const settings = { secrets, url, tokens: () => readSecrets(readBinding(env, verifyToken), nowMs) };
  const closedBy = (name: string, what: string) => ({ ...settings, closed: `the binding ${name} holds ${what}` });
  if (named !== '' && url === '') return closedBy(named, 'no URL');
  if (secret === undefined) return settings;
  if (secrets.length === 0) return closedBy(secret, 'no secret');
  // Each must do: of several the others would hide, until it is the only one, that this one cannot.
  const areUsable = secrets.every((one) => schemes.length === 0 || schemes.some((scheme) => canUse(scheme, one)));
  return areUsable ? settings : closedBy(secret, 'a secret that its scheme cannot use');
}

const readBinding = (env: object, name: string | undefined): unknown =>
  name ? (env as Record<string, unknown>)[name] : undefined;
