/**
 * Tracing: spans of what is enqueued and handled, collected and sent to an OTLP endpoint in one request for each drain or
 * enqueue, and each second of a drain that stays. Off without an endpoint. Whatever happens to an export, the work goes on.
 */
import type { OpenSpan } from '../delivery/span.ts';
import { logWarning } from '../log.ts';
import type { Message } from '../message/message.ts';
import { formatTraceparent, parseTraceparent, spanBelow } from '../message/trace-context.ts';
import { encodeSpans, type Span } from './otlp.ts';

/** The spans of one drain or one enqueue. */
export interface SpanBatch {
  /** An enqueue. @param traceparent of the caller */
  send(queues: string[], traceparent: string | undefined): OpenSpan;
  /** A delivery, below the enqueue that its message tells of. */
  process(message: Message): OpenSpan;
  /** Sends those that have ended, each once. @returns how many requests that took: 0 or 1. Never throws. */
  flush(): Promise<number>;
}

export interface TracingOptions {
  /** As OTEL_EXPORTER_OTLP_ENDPOINT: `/v1/traces` is added to it. */
  endpoint: string;
  /** As OTEL_EXPORTER_OTLP_HEADERS: `name=value,…`, percent-encoded. */
  headers: string;
  clock?: () => number;
}

/** Spans of one batch: some 600 KB. What goes beyond is dropped, and the log says how many. */
const MOST_SPANS = 1_000;
const TIMEOUT_MS = 3_000;

export function openTracing({ endpoint, headers, clock = Date.now }: TracingOptions): () => SpanBatch {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const sent = { 'content-type': 'application/json', ...parseHeaders(headers) };
  return () => {
    const ended: Span[] = [];
    let dropped = 0;
    const begin = (kind: Span['kind'], verb: string, queue: string, from: string | undefined, more: object) => {
      const parent = parseTraceparent(from);
      const context = spanBelow(parent);
      const startAt = clock();
      return {
        traceparent: formatTraceparent(context),
        end(errorType?: string, late: Span['attributes'] = {}) {
          if (!context.sampled) return;
          if (ended.length === MOST_SPANS) dropped += 1;
          else {
            const attributes = { ...makeAttributes(verb, queue), ...more, ...late };
            const name = queue === '' ? verb : `${verb} ${queue}`;
            ended.push({ context, parent, name, kind, startAt, endAt: clock(), attributes, errorType });
          }
        },
      };
    };
    return {
      send(queues, traceparent) {
        const one = new Set(queues).size === 1 ? (queues[0] ?? '') : '';
        const many = queues.length === 1 ? {} : { 'messaging.batch.message_count': queues.length };
        return begin('producer', 'send', one, traceparent, many);
      },
      process({ id, queue, attempt, headers: { traceparent } }) {
        const more = { 'messaging.message.id': id, 'sluice.attempt': attempt };
        return begin('consumer', 'process', queue, traceparent, more);
      },
      async flush() {
        if (dropped > 0) logWarning('spans dropped', { spans: dropped });
        dropped = 0;
        return ended.length > 0 ? post(url, sent, ended.splice(0)) : 0;
      },
    };
  };
}

/** By OpenTelemetry's semantic conventions for messaging. */
function makeAttributes(verb: string, queue: string): Span['attributes'] {
  return {
    'messaging.system': 'sluice',
    'messaging.operation.name': verb,
    'messaging.operation.type': verb,
    ...(queue === '' ? {} : { 'messaging.destination.name': queue }),
  };
}

async function post(url: string, headers: Record<string, string>, spans: Span[]): Promise<number> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const request = { method: 'POST', headers, body: encodeSpans(spans), redirect: 'manual', signal } as const; // its headers go nowhere else
    const answer = await fetch(url, request);
    await answer.body?.cancel();
    if (!answer.ok) logWarning('spans refused', { spans: spans.length, status: answer.status });
  } catch {
    logWarning('spans not exported', { spans: spans.length });
  }
  return 1;
}

/** What cannot be read is left out: a wrong header must not stop a queue. */
function parseHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(pair));
  return Object.fromEntries(pairs.flatMap((pair) => (pair ? [[pair[1] ?? '', decoded(pair[2] ?? '')]] : [])));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
