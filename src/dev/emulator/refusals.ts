/**
 * Storage that refuses in the middle of a script: one record is full, or the whole database is.
 *
 * Redis itself looks whether there is room before a script's first write, and never again. The service, and engines that look
 * at each command, refuse a growing write wherever it stands: what the script wrote before stays, deletes and reads go on.
 */
import type { Asked } from './guard.ts';

/** Which growing writes of one call are refused. Those that neither list nor pattern selects are not counted. */
export interface Refusal {
  /** From this one on, 1 is the first. Infinity refuses none, and only tells. */
  from: number;
  /** So many of them. Default 1. */
  times?: number;
  /** Only these commands, such as ZADD. Default: all that grow. */
  commands?: string[];
  /** Only keys of these forms, in which `*` stands for anything. Default: all. */
  keys?: string[];
  /** What storage says. */
  error?: string;
  /** Told of all growing writes that the script asked for, refused or not, as 'ZADD <key>': where it ends without raising an error. */
  told?: (writes: string[]) => void;
}

/** A script that is about to run. */
export interface ScriptCall {
  text: string;
  keys: string[];
  args: string[];
}

/** Asked once for each call of a script. */
export type Refuse = (call: ScriptCall) => Refusal | undefined;

export const RECORD_TOO_LARGE = 'ERR max single record size exceeded';

export function askedBy(refusal: Refusal): Asked {
  const { from, times = 1, commands = [], keys = [], error = RECORD_TOO_LARGE } = refusal;
  return { from, last: from + times - 1, commands, keys, error };
}
