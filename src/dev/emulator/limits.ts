/**
 * The limits of a plan of the service: what it refuses above them, and in which words; above its pace it lets wait.
 *
 * Texts are those that somebody has seen, of a key too long and a record too large those of its documentation. What is counted as
 * how much is not known of the service, nor in which order it looks. Here: before a request, the commands that Redis has executed,
 * inner ones too, and the bytes of its data; a record by MEMORY USAGE. A script is not stopped half-way by the month's end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'ioredis';
import { sizeOf } from '../../redis-http/arguments.ts';
import type { Argument } from '../../redis-http/reply.ts';
import type { Backend } from './backend.ts';
import { growingKeys, isScript, nameOf } from './commands.ts';
import type { ScriptLimits } from './guard.ts';
import { createPace, type Pace } from './pace.ts';
import type { Limits } from './plan.ts';
import { RECORD_TOO_LARGE } from './refusals.ts';
import type { Usage } from './usage.ts';

/** What holds for the commands of one request. */
export interface Admission {
  /** Why each is refused, or undefined. */
  refused: (string | undefined)[];
  /** What holds inside scripts. */
  inside: ScriptLimits;
  usage: Usage;
}

export interface Gate {
  limits(): Limits;
  /** Those that are named change, from the next request on. */
  change(changes: Limits): void;
  requestBytes(): number;
  /** What limits have done so far, but for refusals inside scripts. */
  met(): { refused: number; delayed: number };
  /** After as long as the request has to wait; undefined where nothing is limited. */
  admit(commands: Argument[][]): Promise<Admission | undefined>;
}

const TEN_MIB = 10 * 1024 * 1024; // the service's limit for one command on its usual plans

export function createGate(backend: Backend, given: Limits): Gate {
  let limits = given;
  let pace = paceOf(given);
  const met = { refused: 0, delayed: 0 };

  async function usageWhenDue(): Promise<Usage> {
    const usage = await backend.usage();
    const waitMs = pace?.waitMs(usage.commands, performance.now()) ?? 0;
    if (waitMs === 0) return usage;
    met.delayed += 1;
    await pause(waitMs);
    return backend.usage();
  }

  async function recordRefusal(command: Argument[]): Promise<string | undefined> {
    const { recordBytes } = limits;
    if (recordBytes === undefined) return undefined;
    for (const key of growingKeys(command)) {
      if ((await backend.bytesOf(key)) + sizeOf(command) > recordBytes) return RECORD_TOO_LARGE;
    }
    return undefined;
  }

  return {
    limits: () => limits,
    change(changes) {
      limits = { ...limits, ...changes };
      if ('commandsPerSecond' in changes) pace = paceOf(limits);
    },
    met: () => ({ ...met }),
    requestBytes: () => limits.requestBytes ?? TEN_MIB,
    async admit(commands) {
      const { requestBytes: _, ...others } = limits;
      if (Object.values(others).every((limit) => limit === undefined)) return undefined;
      const usage = await usageWhenDue();
      const refused = await Promise.all(
        commands.map(async (command) => refusalOf(command, limits, usage) ?? (await recordRefusal(command))),
      );
      met.refused += refused.filter((error) => error !== undefined).length;
      return { refused, inside: insideOf(limits, usage), usage };
    },
  };
}

function paceOf({ commandsPerSecond }: Limits): Pace | undefined {
  return commandsPerSecond === undefined ? undefined : createPace(commandsPerSecond);
}

function refusalOf(command: Argument[], limits: Limits, usage: Usage): string | undefined {
  const { monthlyCommands = Infinity, capacityBytes = Infinity, keyBytes = Infinity, scriptsWhenFull } = limits;
  if (usage.commands >= monthlyCommands) return monthUsedUp(monthlyCommands, usage.commands);
  if (usage.bytes >= capacityBytes) {
    const isRefused = growingKeys(command).length > 0 || (scriptsWhenFull === 'refused' && isScript(nameOf(command)));
    if (isRefused) return full(capacityBytes, usage.bytes);
  }
  if (keyBytes === Infinity) return undefined;
  const long = keysOf(command).find((key) => Buffer.byteLength(key) > keyBytes);
  return long === undefined ? undefined : `${keyTooLong(keyBytes)}${Buffer.byteLength(long)} bytes`;
}

function keysOf(command: Argument[]): Argument[] {
  const keys = new Command(nameOf(command), command.slice(1)).getKeys() as (Argument | undefined)[];
  return keys.filter((key) => key !== undefined); // none stands where there are too few arguments, as Redis will say
}

function insideOf(limits: Limits, { bytes }: Usage): ScriptLimits {
  const { capacityBytes = Infinity, recordBytes = Infinity, keyBytes = Infinity } = limits;
  return {
    freeBytes: capacityBytes - bytes,
    full: full(capacityBytes, Math.max(bytes, capacityBytes)),
    recordBytes,
    recordTooLarge: RECORD_TOO_LARGE,
    keyBytes,
    keyTooLong: keyTooLong(keyBytes),
  };
}

const PAGES = 'https://upstash.com/docs/redis/troubleshooting';

function monthUsedUp(limit: number, used: number): string {
  return `ERR max requests limit exceeded. Limit: ${limit}, Usage: ${used}. See ${PAGES}/max_requests_limit for details`;
}

function full(capacity: number, used: number): string {
  const page = `${PAGES}/db_capacity_quota_exceeded`;
  return `ERR DB capacity quota exceeded. Threshold: ${capacity} bytes, Usage: ${used} bytes. See ${page} for details`;
}

function keyTooLong(limit: number): string {
  return `ERR max key size exceeded. Limit: ${limit} bytes, Actual: `;
}
