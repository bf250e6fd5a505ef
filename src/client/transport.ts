/**
 * Transport: one POST with the token, sent again where that makes sense.
 *
 * It repeats what got no usable answer, 429 and 5xx, with the same bytes and the same key. So it must only be given
 * requests that can be repeated: with an Idempotency-Key, or settlements. Other 4xx are final.
 */
import { errorOf, isTemporary, SluiceError } from './error.ts';

/** The part of fetch that is used. */
export type Fetch = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body: string;
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
  token: string;
  fetch?: Fetch | undefined;
  /** For one try, its answer's body included. Default 15 s. */
  timeoutMs?: number | undefined;
  repeat?: Repeat | undefined;
}

export interface Transport {
  /** @throws SluiceError */
  post<Answer>(path: string, body: unknown, idempotencyKey?: string): Promise<Answer>;
}

/** @throws TypeError where the token cannot be sent; it does not show it */
export function createTransport({
  url,
  token,
  timeoutMs = 15_000,
  repeat = {},
  ...options
}: TransportOptions): Transport {
  // A runtime's own error for a bad header quotes it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('the token must be visible ASCII characters');
  const base = url.replace(/\/+$/, '');
  const send = options.fetch ?? ((to, init) => globalThis.fetch(to, init));
  const { times = 5 } = repeat;

  async function once<Answer>(path: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const signal = AbortSignal.timeout(timeoutMs);
    const init = { method: 'POST', headers, body, redirect: 'manual', signal } as const; // a token goes nowhere else
    let answer: Response | undefined;
    try {
      answer = await send(base + path, init);
      if (answer.ok) return (await answer.json()) as Answer;
      throw await errorOf(answer);
    } catch (error) {
      throw error instanceof SluiceError ? error : withoutAnswer(error, signal.aborted, answer);
    }
  }

  return {
    async post(path, body, idempotencyKey) {
      const text = JSON.stringify(body);
      const headers = {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      };
      for (let tries = 1; ; tries++) {
        try {
          return await once(path, text, headers);
        } catch (error) {
          if (!isTemporary(error) || tries > times) throw error;
          await new Promise((resolve) => setTimeout(resolve, waitMs(tries, error, repeat)));
        }
      }
    },
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
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param answer where one began to come @returns what its failure means; it quotes nothing of the runtime's error */
export function withoutAnswer(error: unknown, isTimeout: boolean, answer: Response | undefined): SluiceError {
  if (isTimeout) return new SluiceError(0, 'timeout', 'no answer in time');
  if (answer && error instanceof SyntaxError) return new SluiceError(0, 'garbled', 'the answer is not JSON');
  const cause = (error as { cause?: { code?: unknown } } | undefined)?.cause?.code;
  const why = typeof cause === 'string' && /^[A-Z0-9_]+$/.test(cause) ? ` (${cause})` : '';
  return new SluiceError(0, 'unreachable', `the network failed${why}`);
}
