/** Reading request bodies: bounded, as JSON, and the name under which a request can be repeated. */
import type { Context } from 'hono';
import type * as z from 'zod/mini';
import type { IdempotencyKey } from '../broker/producer.ts';
import { InvalidMessage } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import { toIssues } from '../formats/issues.ts';
import { inexactPlace } from '../formats/json.ts';
import { readBytes } from '../formats/read-bytes.ts';
import type { SluiceEnv } from './context.ts';
import { isOverShards } from './page-query.ts';
import { Problem } from './problem.ts';

/** Judges a stated length, and reads a body without one. @throws Problem too_large, incomplete_body */
export async function limitBody({ req }: Context, most: number): Promise<void> {
  const stated = req.header('transfer-encoding') === undefined ? req.header('content-length') : undefined;
  const { body } = stated === undefined ? req.raw : { body: null }; // asked for, it becomes a stream of JavaScript's
  const bytes = body && (await readBytes(body, most).catch(endedEarly));
  if (stated === undefined ? body && !bytes : Number(stated) > most) {
    throw new Problem('too_large', `A request may have at most ${most} bytes`);
  }
  if (bytes) req.raw = new Request(req.raw, { body: bytes });
}

/** @throws Problem invalid_json; InvalidMessage where it is not an object, or holds a number that would become another one */
export async function readObject(c: Context): Promise<Record<string, unknown>> {
  const text = decodeText(await c.req.arrayBuffer().catch(endedEarly));
  const body = parse(text);
  if (!isObject(body)) throw new InvalidMessage([{ field: '', code: 'invalid', message: 'must be a JSON object' }]);
  const place = inexactPlace(text);
  if (place === undefined) return body;
  const field = place.replace(/^messages\.(\d+)/, 'messages[$1]');
  const message = 'must be a number that a double holds as it stands: send it as text';
  throw new InvalidMessage([{ field, code: 'inexact', message }]);
}

/** Nothing else can go wrong while a body comes. Whoever sent it hears no answer, and nothing is wrong here. */
function endedEarly(error: unknown): never {
  throw error instanceof Problem ? error : new Problem('incomplete_body');
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** @throws Problem where the bytes are not UTF-8, the one encoding of JSON between systems (RFC 8259, section 8.1) */
function decodeText(bytes: ArrayBuffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Problem('invalid_json', 'The body is not UTF-8');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('invalid_json');
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body, checked; none at all where no field has to be there. @throws Problem invalid_json; InvalidMessage that names each field */
export async function readValid<Schema extends z.ZodMiniType>(
  c: Context<SluiceEnv>,
  schema: Schema,
): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(await readObject(c).catch((error) => nothing(c, schema, error)));
  if (parsed.success) return withOwnCursor(c, parsed.data);
  throw new InvalidMessage(toIssues(parsed.error, ''));
}

/** Of one shard no page answers a cursor that names one. @throws InvalidMessage */
function withOwnCursor<Read>(c: Context<SluiceEnv>, read: Read): Read {
  if (!isOverShards((read as { cursor?: unknown }).cursor) || c.get('engine').fleet.topology.isMany) return read;
  throw new InvalidMessage([{ field: 'cursor', code: 'invalid', message: 'must be one that a page here answered' }]);
}

/** Where no body came and none is needed. @throws the error that reading it gave */
async function nothing(c: Context, schema: z.ZodMiniType, error: unknown): Promise<object> {
  const isUnread = error instanceof Problem && error.code === 'invalid_json';
  if (isUnread && (await c.req.text()) === '' && schema.safeParse({}).success) return {};
  throw error;
}

/** The query, checked. @throws InvalidMessage that names each field */
export function readQuery<Schema extends z.ZodMiniType>(c: Context<SluiceEnv>, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(c.req.query());
  if (parsed.success) return withOwnCursor(c, parsed.data);
  throw new InvalidMessage(toIssues(parsed.error, ''));
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
export async function readIdempotencyKey(c: Context<SluiceEnv>): Promise<IdempotencyKey | undefined> {
  const key = idempotencyKey(c);
  if (key === undefined) return undefined;
  const token = await shortDigest(`${c.get('token').name}\n${key}`);
  const fingerprint = await shortDigest(`${c.req.path}\n${await c.req.text()}`);
  return { token, fingerprint, recognisedMs: RECOGNISED_MS };
}
