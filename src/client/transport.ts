/**
 * Transport: one request and its answer, sent again where that makes sense.
 *
 * What got no usable answer, 429 and 5xx, is repeated with the same bytes and the same key; so a POST is only where it has
 * one, or says that it may be. Other 4xx are final.
 */
import { isTemporary, readProblem, SluiceError, withoutAnswer } from './error.ts';

/** The part of fetch that is used. */
export type Fetch = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: string;
    redirect: 'manual';
    signal: AbortSignal;
  },
) => Promise<Response>;

export interface Repeat {
  /** Repeats after the first try. Default 5. */
  times?: number;
  /** The first wait; it doubles. Default 250 ms. */
  baseMs?: number;
  /** The longest wait, whatever Retry-After asks for. Default 30 s. */
  maxMs?: number;
}

export interface TransportOptions {
  /** Where the Worker is, such as `https://sluice.example.workers.dev`. */
  url: string;
  /** Without a token requests are anonymous or, in a browser, those of its session, whose cookie goes by itself. */
  token?: string | undefined;
  fetch?: Fetch | undefined;
  /** For one try, its answer's body included. Default 15 s. */
  timeoutMs?: number | undefined;
  repeat?: Repeat | undefined;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface RequestOptions {
  body?: unknown;
  /** The caller's own name for the request, by which a repeat is recognised. */
  idempotencyKey?: string | undefined;
  /** Whether it may be sent again. Default: all may but a POST without a key. */
  isRepeatable?: boolean | undefined;
  /** In place of the one of the transport. */
  timeoutMs?: number | undefined;
  /** Aborted, the request ends with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** @throws SluiceError */
export type Transport = <Answer>(method: Method, path: string, options?: RequestOptions) => Promise<Answer>;

export const missing = (option: string) => new TypeError(`the ${option} of the deployment is not given: is it set?`);

/** @throws TypeError where there is no url, or the token cannot be sent; it does not show it */
export function createTransport({ url, token, repeat = {}, ...options }: TransportOptions): Transport {
  if (typeof url !== 'string') throw missing('url'); // mostly of an environment that was not loaded
  // A runtime's own error for a bad header quotes it.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new TypeError('the token must be visible ASCII characters');
  }
  const base = url.replace(/\/+$/, '');
  const send = options.fetch ?? ((to, init) => globalThis.fetch(to, init));
  const { times = 5 } = repeat;

  function headersFor(method: Method, key: string | undefined): Record<string, string> {
    return {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      // Also without a body: it tells the requests of a session's own page from those that other sites can have sent.
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
  }

  async function once<Answer>(
    to: string,
    init: Omit<Parameters<Fetch>[1], 'signal' | 'redirect'>,
    { timeoutMs = options.timeoutMs ?? 15_000, signal }: RequestOptions,
  ): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    let answer: Response | undefined;
    try {
      answer = await send(to, { ...init, redirect: 'manual', signal: either }); // a token goes nowhere else
      if (answer.ok) return (await answer.json()) as Answer;
      throw await readProblem(answer);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw error instanceof SluiceError ? error : withoutAnswer(error, timeout.aborted, answer);
    }
  }

  return async (method, path, request = {}) => {
    const { body, idempotencyKey: key, isRepeatable = method !== 'POST' || key !== undefined } = request;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const init = { method, headers: headersFor(method, key), ...content };
    for (let tries = 1; ; tries++) {
      try {
        return await once(base + path, init, request);
      } catch (error) {
        if (!isRepeatable || !isTemporary(error) || tries > times) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs(tries, error, repeat)));
      }
    }
  };
}

/**
 * Half of the doubling wait is jitter, so that clients that failed together do not come back together; what the server asks
 * for is waited for, up to the limit.
 * @param tries that failed so far, 1 or more
 */
export function waitMs(
  tries: number,
  { retryAfterMs = 0 }: SluiceError,
  { baseMs = 250, maxMs = 30_000 }: Repeat,
): number {
  const jitter = (ms: number) => ms / 2 + (Math.random() * ms) / 2;
  return Math.min(maxMs, Math.max(retryAfterMs + Math.random() * baseMs, jitter(baseMs * 2 ** (tries - 1))));
}

/** A key that is nobody else's. Not randomUUID: browsers have it in secure contexts only. */
export function createKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
