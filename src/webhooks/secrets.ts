/** Secrets: several at once for one source, read from a binding of the Worker, so that they can be rotated. */
import * as z from 'zod/mini';
import { isIsoInstant } from '../formats/instant.ts';
import { rule } from '../formats/rule.ts';

/** The most that are tried for one request. */
const MAX_SECRETS = 4;

const text = z.string().check(z.minLength(1));
const instant = z.string().check(rule(isIsoInstant, 'must be ISO 8601 with a time zone'));
const List = z.array(z.union([text, z.strictObject({ secret: text, expires: z.optional(instant) })]));

/**
 * @param setting one secret, several with commas between them, or JSON: `["new", {"secret": "old", "expires": "2026-12-01T00:00:00Z"}]`
 * @returns those that hold now, in their order; none where nothing is set, or what is set cannot be read: the source is closed
 */
export function readSecrets(setting: unknown, nowMs: number): string[] {
  if (typeof setting !== 'string') return [];
  const secrets = setting.trimStart().startsWith('[') ? fromJson(setting, nowMs) : setting.split(',');
  return secrets
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '')
    .slice(0, MAX_SECRETS);
}

function fromJson(setting: string, nowMs: number): string[] {
  try {
    const entries = List.parse(JSON.parse(setting)).map((entry) =>
      typeof entry === 'string' ? { secret: entry } : entry,
    );
    return entries
      .filter(({ expires }) => expires === undefined || Date.parse(expires) > nowMs)
      .map(({ secret }) => secret);
  } catch {
    return [];
  }
}
