/** Webhooks: anybody may call, each source proves who it is. */
import type { Context } from 'hono';
import { InvalidMessage } from '../../errors.ts';
import { readBytes } from '../../formats/read-bytes.ts';
import { logError } from '../../log.ts';
import { QUEUE_NAME } from '../../message/message.ts';
import { features } from '../../webhooks/features.ts';
import type { Reply } from '../../webhooks/handshake.ts';
import { type IngestResult, type IngestStatus, ingest } from '../../webhooks/ingest.ts';
import { type Reason, Rejected, readReason } from '../../webhooks/rejected.ts';
import type { AnySource } from '../../webhooks/source.ts';
import { readClientAddress } from '../client-address.ts';
import type { SluiceEnv } from '../context.ts';
import { outliving } from '../outliving.ts';
import { Problem, type ProblemCode, unknown } from '../problem.ts';
import { limitRate } from '../rate-limit.ts';
import { route } from '../route.ts';

export const params = { source: QUEUE_NAME };

export const takeWebhook = route('POST /hooks/:source', {}, hear);

export const confirmWebhook = route('GET /hooks/:source', {}, hear);

export const permitWebhook = route('OPTIONS /hooks/:source', {}, hear);

export const hooks = Object.assign([takeWebhook, confirmWebhook, permitWebhook], { features });

async function hear(c: Context<SluiceEnv>): Promise<Response> {
  const source = await named(c);
  const { methods } = source;
  if (!methods.includes(c.req.method)) {
    throw new Problem('method_not_allowed', undefined, undefined, { allow: methods.join(', ') });
  }
  const { taken, reply, receipts } = await counted(c, source, () => take(c, source));
  count(c, source, taken);
  if (taken === 'duplicates') c.header('Idempotent-Replayed', 'true');
  if (receipts.length > 0) c.header('Sluice-Messages', receipts.map(({ queue, id }) => `${queue}/${id}`).join(', '));
  return answer(c, reply);
}

/** @throws Problem unknown_source, rate_limited */
async function named(c: Context<SluiceEnv>): Promise<AnySource> {
  const source = c.get('engine').parts.sources?.get(c.req.param('source') ?? '');
  if (!source) throw unknown('unknown_source', c.req.param('source'));
  const caller = readClientAddress(c); // so that whoever forges does not use up what the sender may
  await limitRate(c.env, { name: `hooks/${source.name}/${caller}` }, `The source "${source.name}"`);
  return source;
}

async function take(c: Context<SluiceEnv>, source: AnySource): Promise<IngestResult> {
  if (!/^(?:identity)?$/i.test(c.req.header('content-encoding') ?? '')) throw new Rejected('encoding');
  if (Number(c.req.header('content-length') ?? 0) > source.maxBytes) throw new Rejected('too_large');
  const bytes = await readBytes(c.req.raw.body, source.maxBytes).catch(() => {
    throw new Rejected('aborted');
  });
  if (!bytes) throw new Rejected('too_large');
  const { engine } = c.var;
  const { method, url, raw } = c.req;
  const query = url.indexOf('?'); // as it came: parsed, it is written anew
  const arrived = { method, headers: raw.headers, bytes, search: query < 0 ? '' : url.slice(query) };
  const taking = ingest(source, arrived, {
    env: c.env,
    queues: engine.queues,
    enqueue: (inputs) => engine.enqueue(inputs),
    nowMs: Date.now(),
  });
  return outliving(c, taking);
}

/** A code for each reason; undefined: the error itself becomes the answer. */
const PROBLEM_OF = {
  signature: 'invalid_signature',
  timestamp: 'invalid_signature',
  token: 'forbidden',
  closed: 'source_closed',
  too_large: 'too_large',
  aborted: 'incomplete_body',
  encoding: 'unsupported_encoding',
  schema: undefined,
  route: 'internal',
  storage: undefined,
} as const satisfies Record<Reason, ProblemCode | undefined>;

/** What an operator has to mend takes a while. */
const LATER = { 'retry-after': '60' };

const HEADERS_OF: Partial<Record<Reason, Record<string, string>>> = {
  signature: { 'www-authenticate': 'Signature' },
  timestamp: { 'www-authenticate': 'Signature' },
  closed: LATER,
};

async function counted<T>(c: Context<SluiceEnv>, source: AnySource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = readReason(error);
    if (!reason) throw error;
    count(c, source, reason);
    if (reason === 'route') {
      logError('route failed', { source: source.name, error: describeCause(error) });
      if (error instanceof InvalidMessage) throw new Problem('invalid_route', undefined, error.issues, LATER);
    }
    const code = PROBLEM_OF[reason];
    throw code ? new Problem(code, undefined, undefined, HEADERS_OF[reason]) : error;
  }
}

/** Of a message that its route made wrong the options, and nothing below them: names there may be the payload's. */
function describeCause(error: unknown): string {
  if (error instanceof InvalidMessage)
    return error.issues.map(({ field, code }) => `${field.split('.')[0]}: ${code}`).join();
  return error instanceof Error ? String(error.cause) : '';
}

function count(c: Context<SluiceEnv>, source: AnySource, what: IngestStatus | Reason): void {
  const { parts, keepAlive, caller } = c.get('engine');
  parts.sources?.count(source, what, keepAlive, caller?.invocation.sleepsMs);
}

function answer(c: Context<SluiceEnv>, { status, type = 'text/plain;charset=UTF-8', body = '', headers = {} }: Reply) {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  c.header('x-content-type-options', 'nosniff'); // a challenge is what somebody else wrote
  return status === 204 ? c.body(null, status) : c.body(body, status, { 'content-type': type });
}
