/** What a question is, and what it has to ask with. */
import { createHash } from 'node:crypto';
import type { Json, Parts } from './answers.ts';
import { type Command, type Reply, SHOWN } from './database.ts';

/** The longest text of the service that is known has 160 characters. */
const MOST_PLAIN = 300;

export interface Question {
  name: string;
  asks: string;
  /** What depends on the answer. */
  matters: string;
  /** As billed, those inside scripts among them, without the one that removes the keys. */
  commands: number;
  /** Of requests and replies, where it is more than some thousand. */
  bytes?: number;
  ask(probe: Probe): Promise<Parts>;
}

export interface Probe {
  /** A key of this run, with the run's hash tag. It will be removed. */
  key(name: string): string;
  /** One with another hash tag, or none. */
  keyElsewhere(name: string): string;
  /** The beginning of what this run writes: also for what is no key. */
  readonly name: string;
  /** @throws Unanswered */
  send(command: Command, token?: string): Promise<Reply>;
  /** A body as it is; whatever comes back is an answer. */
  post(body: string, token?: string): Promise<Reply>;
  /** By EVAL. @returns what it says */
  run(script: string, keys?: string[], args?: (string | number)[]): Promise<Json>;
  /** To be sent when the question is over, however it ends. */
  undo(command: Command): void;
}

/** A result as it is, the text of an error, or the beginning of a page: without what differs from run to run. */
export function told({ result, error, text }: Reply): Json {
  if (result === undefined) return plain(error ?? text);
  return typeof result === 'string' ? result.slice(0, SHOWN) : (result as Json);
}

/** The first line: behind it may stand where in the script it happened. */
export function plain(text: string): string {
  return (text.split('\n')[0] ?? '')
    .slice(0, MOST_PLAIN)
    .replace(/\{?probe-[0-9a-f]+\}?(:[\w-]*)?/g, '<key>')
    .replace(/\b[0-9a-f]{40}\b/g, '<digest>')
    .replace(/(Limit|Actual|Threshold|Usage): \d+/g, '$1: <n>')
    .replace(/ script: <digest>, on @user_script:\d+\.$/, ''); // Redis says it behind any error of a call
}

/** The number behind `Limit:`, where it is told. */
export function limitIn({ error = '' }: Reply): Parts {
  const [, limit] = /Limit: (\d+)/.exec(error) ?? [];
  return limit === undefined ? {} : { limit: Number(limit) };
}

/** Of a script, as EVALSHA wants it. */
export const digestOf = (script: string) => createHash('sha1').update(script).digest('hex');
