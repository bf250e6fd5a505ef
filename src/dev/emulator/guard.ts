/**
 * The guard: what stands before the text of a script where its calls are looked at one by one. The line numbers of the text stay.
 *
 * What is to be refused comes as arguments, so each script has one more text, however differently it is refused.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROWING, NOT_AVAILABLE, notAvailable } from './commands.ts';

/** What the guard refuses at each growing write, beside what is asked for by a Refusal. Texts are what storage says. */
export interface ScriptLimits {
  /** So much can be written yet. */
  freeBytes: number;
  full: string;
  recordBytes: number;
  recordTooLarge: string;
  keyBytes: number;
  /** The size of the key is put behind it. */
  keyTooLong: string;
}

const NO_LIMITS: ScriptLimits = {
  freeBytes: Number.POSITIVE_INFINITY,
  full: '',
  recordBytes: Number.POSITIVE_INFINITY,
  recordTooLarge: '',
  keyBytes: Number.POSITIVE_INFINITY,
  keyTooLong: '',
};

/** Which growing writes are refused, as the guard takes it. */
export interface Asked {
  from: number;
  last: number;
  commands: readonly string[];
  keys: readonly string[];
  error: string;
}

const NOTHING_ASKED: Asked = {
  from: Number.POSITIVE_INFINITY,
  last: Number.POSITIVE_INFINITY,
  commands: [],
  keys: [],
  error: '',
};

/** @returns the arguments that the guard takes away again */
export function guardArguments(asked: Asked = NOTHING_ASKED, limits: ScriptLimits = NO_LIMITS, isLocked = false) {
  return [
    luaNumber(asked.from),
    luaNumber(asked.last),
    asked.commands.map((name) => ` ${name.toUpperCase()} `).join(''),
    asked.keys.map(luaPattern).join('\n'),
    asked.error,
    luaNumber(limits.freeBytes),
    limits.full,
    luaNumber(limits.recordBytes),
    limits.recordTooLarge,
    luaNumber(limits.keyBytes),
    limits.keyTooLong,
    isLocked ? '1' : '',
  ];
}

/** Without an exponent: not every Lua reads one. */
const luaNumber = (value: number) => String(Math.min(value, Number.MAX_SAFE_INTEGER));

/** All but `*` stands for itself. */
function luaPattern(form: string): string {
  return `^${form.replace(/[^\w*]/g, '%$&').replaceAll('*', '.*')}$`;
}

/** Behind a first line `#!lua …`, which has to stay the first. The script returns its growing writes, then its value. */
export function guarded(text: string): string {
  const at = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0;
  return `${text.slice(0, at)}${PROLOGUE} ${text.slice(at)}\nend\nreturn { writes, (script()) }`;
}

/** Whether a script names in quotes what the service has not. A name that it puts together, or is given, is not seen. */
export function namesOthers(text: string): boolean {
  for (const [, , name = ''] of text.matchAll(/(['"])([\w-]+)\1/g))
    if (NOT_AVAILABLE.has(name.toUpperCase())) return true;
  return false;
}

/** First key, last key and step, as COMMAND INFO has them; a step of 0: there stands how many keys follow. */
const PLACES: [places: [number, number, number], names: string][] = [
  [[1, 0, 1], 'PING ECHO TIME PUBLISH INFO DBSIZE RANDOMKEY SCAN KEYS SCRIPT'],
  [[1, -1, 1], 'DEL UNLINK EXISTS TOUCH MGET SINTER SUNION SDIFF SINTERSTORE SUNIONSTORE SDIFFSTORE PFCOUNT PFMERGE'],
  [[1, -1, 2], 'MSET MSETNX'],
  [[1, 2, 1], 'RENAME RENAMENX COPY RPOPLPUSH LMOVE SMOVE GEOSEARCHSTORE ZRANGESTORE'],
  [[2, -1, 1], 'BITOP'],
  [[2, 2, 1], 'XGROUP XINFO MEMORY'],
  [[1, 0, 0], 'LMPOP ZMPOP SINTERCARD ZUNION ZINTER ZDIFF ZINTERCARD'],
  [[2, 0, 0], 'ZUNIONSTORE ZINTERSTORE ZDIFFSTORE'],
  [[1, 0, 1], 'XREAD XREADGROUP'],
];

const DYNAMIC = "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ";
const WHOLE_DATABASE = "ERR this command is not allowed in Lua scripts when 'allow-key-locking' flag is set";

const PROLOGUE = `${oneLine(readFileSync(join(import.meta.dirname, 'guard.lua'), 'utf8'))}
local redis, writes = guard(redis, KEYS, ARGV, {
  first = ${luaSet(GROWING.first)}, second = ${luaSet(GROWING.second)}, odd = ${luaSet(GROWING.odd)},
  unavailable = ${luaSet(NOT_AVAILABLE)}, not_available = ${luaText(notAvailable('%s'))},
  whole = ${luaSet(['FLUSHDB', 'FLUSHALL'])}, whole_database = ${luaText(WHOLE_DATABASE)}, dynamic = ${luaText(DYNAMIC)},
  places = { ${PLACES.flatMap(([places, names]) => names.split(' ').map((name) => `${name} = {${places}}`))} },
}) local function script()`.replaceAll('\n', ' ');

function oneLine(lua: string): string {
  const lines = lua.split('\n').map((line) => line.trim());
  return lines.filter((line) => !line.startsWith('--')).join(' ');
}

function luaSet(names: Iterable<string>): string {
  return `{ ${[...names].map((name) => `['${name}'] = true`)} }`;
}

function luaText(text: string): string {
  return `[[${text}]]`;
}
