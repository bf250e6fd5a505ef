/**
 * Carries out a fault on one response: some before Redis is asked, some after.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Backend } from './backend.ts';
import type { Fault, Status } from './faults.ts';

/** An answer as it goes over the wire; JSON unless it says otherwise. */
export interface Page {
  status: number;
  body: string;
  type?: string;
  headers?: Record<string, string>;
}

/** Before execution: 'gone' when there is nobody left to answer, a page to answer instead, or nothing to do. */
export async function prepare(
  fault: Fault,
  response: ServerResponse,
  backend: Backend,
): Promise<'gone' | Page | undefined> {
  switch (fault.kind) {
    case 'reset':
      response.socket?.resetAndDestroy();
      return 'gone';
    case 'status-before':
      return statusPage(fault);
    case 'delay-before':
      await pause(fault.ms);
      return undefined;
    case 'flush-scripts':
      await backend.run([['SCRIPT', 'FLUSH']]);
      return undefined;
    default:
      return undefined;
  }
}

/** After execution: the answer, or what is left of it. */
export async function deliver(
  fault: Fault,
  response: ServerResponse,
  answer: Page,
  send: (page: Page) => void,
): Promise<void> {
  switch (fault.kind) {
    case 'drop-reply':
      return void response.socket?.destroy();
    case 'truncate':
      return sendHalf(response, answer);
    case 'status-after':
      return send(statusPage(fault));
    case 'delay-after':
      await pause(fault.ms);
      return send(answer);
    default:
      return send(answer);
  }
}

/** The length promises all of it, so the client notices; closed only once the half is on its way. */
function sendHalf(response: ServerResponse, { status, body }: Page): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length });
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.destroy());
}

/** A client that looks for JSON first trips over the one form, and takes the other for an answer of Redis. */
function statusPage({ status, error, retryAfterSeconds }: Status): Page {
  const headers: Page['headers'] = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  if (error !== undefined) return { status, body: JSON.stringify({ error }), headers };
  const body = `<html><body><h1>${status} ${STATUS_CODES[status]}</h1></body></html>`;
  return { status, type: 'text/html', body, headers };
}
