/**
 * Reads an HTTP request: who sends it, how much of it, which commands it holds.
 * It runs nothing.
 */
import type { IncomingMessage } from 'node:http';
import { BadBody, commandInBody, commandInPath, commandsInBody } from './arguments.ts';
import type { Work } from './execution.ts';

export interface Tokens {
  token: string;
  readOnlyToken?: string | undefined;
}

export interface Target {
  path: string;
  query: URLSearchParams;
}

const NO_QUERY = new URLSearchParams();

export function targetOf(request: IncomingMessage): Target {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  if (mark < 0) return { path: url, query: NO_QUERY };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

/** The query's token wins over the header's; the header's may stand without its `Bearer`. */
export function accessOf(request: IncomingMessage, { query }: Target, tokens: Tokens): 'full' | 'read' | 'none' {
  const header = request.headers.authorization ?? '';
  const given = query.get('_token') ?? header.replace(/^Bearer /i, '');
  if (given === tokens.token) return 'full';
  return tokens.readOnlyToken !== undefined && given === tokens.readOnlyToken ? 'read' : 'none';
}

/** Everything outside the paths for lists is one command, and its body is held to the limit of one command. */
export function isList({ path }: Target): boolean {
  return path === '/pipeline' || path === '/multi-exec';
}

/** Undefined when the body is larger than `limit`: it is read to its end all the same, or the client could not hear why. */
export function readBody(request: IncomingMessage, limit: number): Promise<{ body?: Buffer; bytes: number }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
    });
    request.on('end', () => {
      if (bytes > limit) resolve({ bytes });
      else resolve({ bytes, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) });
    });
    request.on('error', reject);
  });
}

/** Throws BadBody with the service's words for what is wrong. */
export function workIn(request: IncomingMessage, target: Target, body: Buffer, readOnly: boolean): Work {
  const base64 = request.headers['upstash-encoding'] === 'base64';
  checkFormat(request, target, base64);
  const work = { readOnly, base64 };
  if (target.path === '/') return { ...work, shape: 'single', commands: [commandInBody(body.toString())] };
  if (isList(target)) {
    const shape = target.path === '/pipeline' ? 'pipeline' : 'transaction';
    return { ...work, shape, commands: commandsInBody(body.toString()) };
  }
  if (STREAM.test(target.path)) throw new BadBody('ERR this emulator does not stream: no monitor, no subscriptions');
  return { ...work, shape: 'single', commands: [commandInPath(target.path, target.query, body)] };
}

/** Left out on purpose: a queue for functions that end has nobody to listen. */
const STREAM = /^\/(monitor|subscribe|psubscribe)(\/|$)/i;

function checkFormat(request: IncomingMessage, target: Target, base64: boolean): void {
  const format = request.headers['upstash-response-format'];
  if (format === undefined || format === 'json' || target.path === '/multi-exec') return;
  if (format !== 'resp2') throw new BadBody(`ERR unknown response format: ${format}`);
  if (base64) throw new BadBody('ERR resp2 format can not be used together with base64 encoding');
  throw new BadBody('ERR this emulator does not speak the resp2 format'); // the SDK never asks for it
}
