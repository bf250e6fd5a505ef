/** Enqueues and drains with their spans: collected on the way, sent when the work is done. Without a batch nothing is added. */

import type { EnqueueResult } from '../broker/producer.ts';
import type { MessageInput } from '../broker/validate.ts';
import type { OpenSpan } from '../delivery/span.ts';
import type { DrainReport } from '../drain/report.ts';
import { nameOfError } from '../log.ts';
import type { Message } from '../message/message.ts';
import { passedOn } from '../message/trace-context.ts';
import type { SpanBatch } from './tracing.ts';

/** Where an enqueue comes from. */
export interface Origin {
  /** The W3C trace context of the caller; what is none is ignored. */
  traceparent?: string | undefined;
}

/**
 * @param waitUntil keeps the export of its span alive behind the answer
 * @param enqueue is given what its messages carry: the trace of the caller, or below it that of this enqueue
 */
export async function tracedEnqueue(
  spans: SpanBatch | undefined,
  inputs: MessageInput[],
  { traceparent, waitUntil }: Origin & { waitUntil(exported: Promise<unknown>): void },
  enqueue: (traceparent: string | undefined) => Promise<EnqueueResult>,
): Promise<EnqueueResult> {
  if (!spans) return enqueue(passedOn(traceparent));
  const queues = inputs.map(({ queue }) => queue?.name ?? '');
  const span = spans.send(queues, traceparent);
  try {
    const enqueued = await enqueue(span.traceparent);
    const [only, second] = enqueued.receipts;
    span.end(undefined, only && !second ? { 'messaging.message.id': only.id } : {});
    return enqueued;
  } catch (error) {
    span.end(nameOfError(error));
    throw error;
  } finally {
    waitUntil(spans.flush());
  }
}

/** @param everyMs how often spans are sent while the drain is at work; left out, at its end alone */
export async function tracedDrain(
  spans: SpanBatch | undefined,
  drain: (trace?: (message: Message) => OpenSpan) => Promise<DrainReport>,
  everyMs?: number,
): Promise<DrainReport> {
  if (!spans) return drain();
  let exports = 0;
  const flush = async () => {
    exports += await spans.flush();
  };
  const timer = everyMs === undefined ? undefined : setInterval(() => void flush(), everyMs);
  let report: DrainReport;
  try {
    report = await drain(spans.process);
  } finally {
    if (timer !== undefined) clearInterval(timer);
    await flush();
  }
  return { ...report, requests: report.requests + exports };
}
