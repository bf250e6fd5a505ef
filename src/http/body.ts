/** Reading request bodies: bounded, as JSON, and the name under which a request can be repeated. */
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type * as z from 'zod/mini';
import { shortDigest } from '../digest.ts';
import { InvalidMessage } from '../errors.ts';
import { issuesOf } from '../issues.ts';
import { MAX_REQUEST_BYTES, type RequestName } from '../producer.ts';
import type { SluiceEnv } from './app.ts';
import { Problem } from './problem.ts';

export const limitBody = bodyLimit({
  maxSize: MAX_REQUEST_BYTES,
  onError: () => {
    throw new Problem('too_large', `A request may have at most ${MAX_REQUEST_BYTES} bytes`);
  },
});

/** @throws Problem invalid_json, or invalid_message where it is not an object */
export async function readObject(c: Context): Promise<Record<string, unknown>> {
  let body: unknown;
  try {
    body = JSON.parse(await c.req.text());
  } catch (error) {
    if (error instanceof SyntaxError) throw new Problem('invalid_json');
    throw error;
  }
  if (isObject(body)) return body;
  throw new Problem('invalid_message', undefined, [{ field: '', code: 'invalid', message: 'must be a JSON object' }]);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body, checked. @throws Problem invalid_json; InvalidMessage that names each field */
export async function readValid<Schema extends z.ZodMiniType>(c: Context, schema: Schema): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(await readObject(c));
  if (parsed.success) return parsed.data;
  throw new InvalidMessage(issuesOf(parsed.error, ''));
}

/** The query, checked. @throws InvalidMessage that names each field */
export function readQuery<Schema extends z.ZodMiniType>(c: Context, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(c.req.query());
  if (parsed.success) return parsed.data;
  throw new InvalidMessage(issuesOf(parsed.error, ''));
}

/** How long a repeated Idempotency-Key is recognised. */
const RECOGNISED_MS = 24 * 60 * 60 * 1_000;

/** The caller's own name for a request (draft-ietf-httpapi-idempotency-key-header). @throws Problem where it cannot be one */
export function idempotencyKey(c: Context<SluiceEnv>): string | undefined {
  const key = c.req.header('idempotency-key');
  if (key !== undefined && !/^[\x21-\x7e]{1,255}$/.test(key)) throw new Problem('invalid_idempotency_key');
  return key;
}

/** The caller's Idempotency-Key as the name of this request. */
export async function requestName(c: Context<SluiceEnv>): Promise<RequestName | undefined> {
  const key = idempotencyKey(c);
  if (key === undefined) return undefined;
  const token = await shortDigest(`${c.var.token.name}\n${key}`);
  const fingerprint = await shortDigest(`${c.req.path}\n${await c.req.text()}`);
  return { token, fingerprint, recognisedMs: RECOGNISED_MS };
}
