/** Trace context: which trace a piece of work belongs to, and how that travels: W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits. */
  spanId: string;
  /** Whoever began the trace wants it kept. */
  sampled: boolean;
}

/** The most that a `traceparent` adds to a stored message, in bytes. */
export const TRACEPARENT_BYTES = 96;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** @returns undefined for what is none: it is ignored, and a new trace begins */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(text) ?? [];
  const valid = version !== undefined && version !== 'ff' && (version !== '00' || more === undefined);
  if (!valid || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** What may go on with a message: a trace context as it came, undefined for what is none. */
export function passedOn(traceparent: string | undefined): string | undefined {
  const context = parseTraceparent(traceparent);
  return context && formatTraceparent(context);
}

/** A new span of the parent's trace; without a parent, of a new trace. */
export function spanBelow(parent: TraceContext | undefined): TraceContext {
  return { traceId: parent?.traceId ?? hex(16), spanId: hex(8), sampled: parent?.sampled ?? true };
}

function hex(bytes: number): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
