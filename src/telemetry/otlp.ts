/** OTLP: spans as OpenTelemetry's protocol has them in JSON. Pure; it writes attributes, never a body or an error's text. */
import type { TraceContext } from '../message/trace-context.ts';

export interface Span {
  context: TraceContext;
  parent: TraceContext | undefined;
  name: string;
  kind: 'producer' | 'consumer';
  /** Epoch ms. */
  startAt: number;
  endAt: number;
  attributes: Record<string, string | number>;
  /** Left out where it ended well. */
  errorType?: string | undefined;
}

/** The numbers that the protocol gives to kinds, and to the status of what failed. */
const KINDS = { producer: 4, consumer: 5 };
const ERROR = 2;

export function encodeSpans(spans: Span[]): string {
  const resource = { attributes: encodeAttributes({ 'service.name': 'sluice' }) };
  return JSON.stringify({
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'sluice' }, spans: spans.map(encodeSpan) }] }],
  });
}

function encodeSpan({ context, parent, name, kind, startAt, endAt, attributes, errorType }: Span): object {
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parent ? { parentSpanId: parent.spanId } : {}),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(startAt),
    endTimeUnixNano: nanoseconds(endAt),
    attributes: encodeAttributes({ ...attributes, ...(errorType ? { 'error.type': errorType } : {}) }),
    ...(errorType ? { status: { code: ERROR } } : {}),
  };
}

/** More digits than a number keeps. */
const nanoseconds = (ms: number) => `${Math.round(ms)}000000`;

function encodeAttributes(attributes: Record<string, string | number>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
  }));
}
