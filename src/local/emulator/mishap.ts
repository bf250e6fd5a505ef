/**
 * Carries out a fault on one response: some before Redis is asked, some after.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Backend } from './backend.ts';
import type { Fault } from './faults.ts';

/** An answer as it goes over the wire; JSON unless it says otherwise. */
export interface Page {
  status: number;
  body: string;
  type?: string;
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
      return proxyPage(fault.status);
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
      return send(proxyPage(fault.status));
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

/** What proxies in front of a service answer: no JSON, so a client that parses first trips over it. */
function proxyPage(status: number): Page {
  const reason = status === 429 ? 'Too Many Requests' : 'Service Unavailable';
  return { status, type: 'text/html', body: `<html><body><h1>${status} ${reason}</h1></body></html>` };
}
