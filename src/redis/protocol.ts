/**
 * The REST protocol of the service: a command as JSON in one POST, sent once, and what its answer says. The status goes before the
 * text, which may be of whatever stands in front: a proxy, a balancer, the page of an edge.
 */
import { StorageError } from '../errors.ts';
import { parseRefusal } from './refusal.ts';
import type { Connection, Send } from './send.ts';

/** Sends one request. @throws StorageError where no answer comes, or not in time */
export type Post = (address: string, request: Request) => Promise<Answer>;

interface Request {
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
}

export interface Answer {
  status: number;
  /** @param name in small letters */
  header: (name: string) => unknown;
  text: string;
}

/** The service answers each request with one, and a replica that is asked with it waits until it has seen as much. */
const SYNC_TOKEN = 'upstash-sync-token';
/** A host of one machine, or an address: what no deployed Worker reaches. Cloudflare answers with its errors 1003 and 1016. */
const LOCAL = /^https?:\/\/(?:localhost|[\d.]+|\[.*)(?::|\/|$)/i;
const LOCAL_SAYS = [403, 530];
/** Nobody waits longer because an answer asks for it. */
const MOST_RETRY_AFTER_MS = 15_000;

export function connectBy(post: Post, { url, token, timeoutMs }: Connection): Send {
  const address = url.replace(/\/$/, '');
  const authorization = `Bearer ${token}`;
  let syncToken = '';
  return async (command) => {
    const headers = { 'content-type': 'application/json', authorization, [SYNC_TOKEN]: syncToken };
    const answer = await post(address, { headers, body: JSON.stringify(command), timeoutMs: timeoutMs() });
    if (answer.status < 300) syncToken = String(answer.header(SYNC_TOKEN) ?? '');
    return readResult(answer, LOCAL_SAYS.includes(answer.status) && LOCAL.test(address));
  };
}

/** @returns the command's result. @throws StorageError */
function readResult({ status, header, text }: Answer, isLocal: boolean): unknown {
  const said = `HTTP ${status}${isLocal ? ': UPSTASH_REDIS_REST_URL is local, or an address; a Worker reaches neither' : ''}`;
  // After these the command may have run, whatever is said of it, and the same call may fare better later.
  if (status === 429 || status >= 500) throw new StorageError('unreachable', said, askedMs(header));
  const answer = parse(text);
  if (typeof answer?.error === 'string') throw parseRefusal(answer.error, status <= 400 ? 'error' : `HTTP ${status}`);
  if (status >= 300) throw new StorageError('refused', said);
  if (!answer || !('result' in answer)) throw new StorageError('garbled', 'the answer holds no result');
  return answer.result;
}

function parse(text: string): { result?: unknown; error?: unknown } | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** Whole seconds; a date needs a clock like the service's, and asks for nothing. */
function askedMs(header: Answer['header']): number {
  const text = String(header('retry-after') ?? '');
  return /^\d+$/.test(text) ? Math.min(Number(text) * 1_000, MOST_RETRY_AFTER_MS) : 0;
}
