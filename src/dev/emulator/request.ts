/**
 * Reads an HTTP request: who sends it, how much of it, which commands it holds.
 * It runs nothing.
 */
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { BadBody, commandInBody, commandInPath, commandsInBody } from '../../redis-http/arguments.ts';
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

/** JSON comes as text. Undefined when it is larger than `limit`: it is read to its end all the same, or the client could not hear why. */
export function readBody(
  request: IncomingMessage,
  target: Target,
  limit: number,
): Promise<{ body?: string | Buffer; bytes: number }> {
  return new Promise((resolve, reject) => {
    const whole = holdsJson(target) ? text() : binary();
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) whole.add(chunk);
    });
    request.on('end', () => resolve(bytes > limit ? { bytes } : { bytes, body: whole.end() }));
    request.on('error', reject);
  });
}

const holdsJson = (target: Target) => target.path === '/' || isList(target);

/** Decoded as it comes: gathered as bytes first, a large body would be held twice. */
function text() {
  const decoder = new StringDecoder();
  let decoded = '';
  return {
    add(chunk: Buffer) {
      decoded += decoder.write(chunk);
    },
    end: () => decoded + decoder.end(),
  };
}

function binary() {
  const chunks: Buffer[] = [];
  return { add: (chunk: Buffer) => chunks.push(chunk), end: () => Buffer.concat(chunks) };
}

/** Throws BadBody with the service's words for what is wrong. */
export function workIn(request: IncomingMessage, target: Target, body: string | Buffer, readOnly: boolean): Work {
  const base64 = request.headers['upstash-encoding'] === 'base64';
  checkFormat(request, target, base64);
  const work = { readOnly, base64 };
  if (target.path === '/') return { ...work, shape: 'single', commands: [commandInBody(String(body))] };
  if (isList(target)) {
    const shape = target.path === '/pipeline' ? 'pipeline' : 'transaction';
    return { ...work, shape, commands: commandsInBody(String(body)) };
  }
  if (STREAM.test(target.path)) throw new BadBody('ERR this emulator does not stream: no monitor, no subscriptions');
  return { ...work, shape: 'single', commands: [commandInPath(target.path, target.query, body as Buffer)] };
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
