/**
 * Running scripts: by digest, by text where the server does not know it, and again where no usable answer came. Repeating
 * is safe because every script is safe to replay.
 */

import { StorageError } from '../errors.ts';
import { toHex, utf8 } from '../formats/bytes.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Script } from './lua/script.ts';
import type { Send } from './send.ts';

export interface Runner {
  /**
   * @returns the script's reply, and whether an earlier try of this call may have run too
   * @throws StorageError after the last try, or at once where storage, or the platform, refused
   */
  run<Keys extends string[], Args extends string[]>(
    script: Script<Keys, Args>,
    keys: NoInfer<Keys>,
    args: NoInfer<Args>,
  ): Promise<{ reply: unknown; retried: boolean }>;
}

/** What is known of the stored format of a database. No script changes that, so each process checks it once. */
export interface KnownFormat {
  isKnown: boolean;
}

export interface RunnerOptions {
  send: Send;
  /** Waits before each repetition, ms; each gets up to half as much jitter on top. */
  repeatAfterMs?: readonly number[];
  /** Whether it is known that the database has the stored format of these scripts: the first calls look. Not given: none looks. */
  format?: KnownFormat | undefined;
  /** No repetition begins where its wait would take what is left. Not given: somebody waits for the answer. */
  msLeft?: (() => number) | undefined;
}

/** A runner for callers that need only the reply, and not whether the call was retried. */
export const makeReplyRunner =
  ({ run }: Runner) =>
  async <Keys extends string[], Args extends string[]>(
    script: Script<Keys, Args>,
    keys: NoInfer<Keys>,
    args: NoInfer<Args>,
  ): Promise<unknown> =>
    (await run(script, keys, args)).reply;

/**
 * After no usable answer, and after none in time. A service that holds back who asks too much of it runs each of those requests in
 * the end, and bills it: whoever repeats soon makes it slower, so these waits are long, and a caller who waits has one of them.
 */
const REPEAT_AFTER_MS = [50, 250, 1_000] as const;
const REPEAT_SLOW_AFTER_MS = [1_000, 5_000, 15_000] as const;
const SLOW_REPEATS_OF_REQUESTS = 1;
/** A request that would have to wait longer than this is answered instead, with when to come back. */
const MOST_WAIT_OF_REQUESTS_MS = 2_000;
/** For what is under way in the network when the last repetition has been given up. */
const ON_THE_WAY_MS = 10_000;
const LEAST_RECOGNISED_MS = 60_000;

/**
 * How long the name of a call has to be recognised: as long as its own repetitions may come, so that none of them is taken for
 * a new call. Each try is two requests where storage does not know the script, and each of these may take the whole timeout.
 */
export function recognisedMsFor(timeoutMs: number): number {
  const waits = REPEAT_SLOW_AFTER_MS.reduce((sum, ms) => sum + 1.5 * ms, 0);
  const tries = REPEAT_SLOW_AFTER_MS.length + 1;
  return Math.max(LEAST_RECOGNISED_MS, 2 * tries * timeoutMs + waits + ON_THE_WAY_MS);
}

/** Values: a promise of a request that the platform ended would never come true, for the later requests of its isolate neither. */
const digests = new Map<string, string>();

export function scriptRunner({ send, format, repeatAfterMs, msLeft }: RunnerOptions): Runner {
  async function once({ source }: Pick<Script, 'source'>, keys: string[], args: string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await send(['EVALSHA', await hashSource(source), ...rest]);
    } catch (error) {
      if (!(error instanceof StorageError && error.reason === 'NOSCRIPT')) throw error;
      return send(['EVAL', source, ...rest]);
    }
  }

  /** @returns ms; undefined where it is not repeated */
  function waitAfter({ code, isFinal, afterMs }: StorageError, tries: number): number | undefined {
    if (isFinal || code === 'subrequests') return undefined;
    const wait = (repeatAfterMs ?? (code === 'slow' ? REPEAT_SLOW_AFTER_MS : REPEAT_AFTER_MS))[tries];
    const isOver = code === 'slow' && tries >= SLOW_REPEATS_OF_REQUESTS;
    if (!msLeft && (isOver || afterMs > MOST_WAIT_OF_REQUESTS_MS)) return undefined;
    return wait === undefined ? undefined : Math.max(wait, afterMs);
  }

  return {
    async run(script, keys, args) {
      const looks = format?.isKnown === false;
      const given = looks ? [...keys, formatKey(script, keys)] : keys;
      for (let tries = 0; ; tries++) {
        try {
          const reply = await once(script, given, args);
          if (looks && !script.readsOnly) format.isKnown = true;
          return { reply, retried: tries > 0 };
        } catch (error) {
          const wait = error instanceof StorageError ? waitAfter(error, tries) : undefined;
          if (wait === undefined || (msLeft && msLeft() < 2 * wait)) throw error;
          await sleep(wait * (1 + Math.random() / 2));
        }
      }
    },
  };
}

/** As format.lua reads it. Each script has a key, and what all begin with ends in the first colon. */
function formatKey({ readsOnly }: Pick<Script, 'readsOnly'>, [key = '']: string[]): string {
  return `${key.slice(0, key.indexOf('}:') + 2)}format${readsOnly ? '?' : ''}`;
}

/** SHA-1 of the text, in hex, as EVALSHA wants it. */
async function hashSource(source: string): Promise<string> {
  const known = digests.get(source);
  if (known !== undefined) return known;
  const digest = toHex(await crypto.subtle.digest('SHA-1', utf8(source)));
  digests.set(source, digest);
  return digest;
}
