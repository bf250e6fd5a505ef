/**
 * Storage that refuses in the middle of a script: one record is full, or the whole database is.
 *
 * Redis itself looks whether there is room before a script's first write, and never again. The service, and engines that look
 * at each command, refuse a growing write wherever it stands: what the script wrote before stays, deletes and reads go on.
 *
 * The text of such a call gets a first line before it, in which `redis` is another that counts and refuses, as `redis.call` and
 * `redis.pcall` do where Redis refuses: the line numbers of the text stay. What is to be refused comes as five more
 * arguments, which that line takes away again: so each script has one more text, however differently it is refused. An
 * EVALSHA is served by the text of its digest, which has to have passed this emulator since the scripts were flushed; one
 * that has not is passed on as it is.
 */
import { createHash } from 'node:crypto';
import { nameOf } from './commands.ts';
import type { Argument, Reply, Value } from './reply.ts';

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

/** What Redis is sent for a command, and what its reply then means. */
export interface Prepared {
  command: Argument[];
  read(reply: Reply): Reply;
}

export interface Refusals {
  prepare(command: Argument[], refuse: Refuse | undefined): Prepared;
}

const RECORD_FULL = 'ERR max single record size exceeded';

export function createRefusals(): Refusals {
  const texts = new Map<string, string>(); // by their digest
  const remember = (text: Argument) => {
    texts.set(createHash('sha1').update(text).digest('hex'), String(text));
  };

  /** The text of the script that a command runs, if it is one that may write. */
  function textOf(command: Argument[]): string | undefined {
    const [, second = '', third = ''] = command;
    switch (nameOf(command)) {
      case 'EVAL':
        remember(second);
        return String(second);
      case 'EVALSHA':
        return texts.get(String(second).toLowerCase());
      case 'SCRIPT':
        if (String(second).toUpperCase() === 'LOAD') remember(third);
        if (String(second).toUpperCase() === 'FLUSH') texts.clear();
        return undefined;
      default:
        return undefined;
    }
  }

  return {
    prepare(command, refuse) {
      const text = textOf(command);
      const refusal = text === undefined ? undefined : refuse?.({ text, ...argumentsOf(command) });
      if (text === undefined || !refusal) return { command, read: (reply) => reply };
      return { command: refusing(command, text, refusal), read: (reply) => read(reply, refusal) };
    },
  };
}

function argumentsOf([, , count, ...rest]: Argument[]): { keys: string[]; args: string[] } {
  const words = rest.map(String);
  return { keys: words.slice(0, Number(count)), args: words.slice(Number(count)) };
}

function refusing([, , ...rest]: Argument[], text: string, refusal: Refusal): Argument[] {
  const { from, times = 1, commands = [], keys = [], error = RECORD_FULL } = refusal;
  const last = from + times - 1;
  const names = commands.map((name) => ` ${name.toUpperCase()} `).join('');
  return [
    'EVAL',
    withPrologue(text),
    ...rest,
    luaNumber(from),
    luaNumber(last),
    names,
    keys.map(luaPattern).join('\n'),
    error,
  ];
}

const luaNumber = (value: number) => (Number.isFinite(value) ? String(value) : '1e300');

/** All but `*` stands for itself. */
function luaPattern(form: string): string {
  return `^${form.replace(/[^\w*]/g, '%$&').replaceAll('*', '.*')}$`;
}

function read(reply: Reply, { told }: Refusal): Reply {
  if ('error' in reply || !Array.isArray(reply.result)) return reply;
  const [writes, value = null] = reply.result as [Value[], Value?];
  told?.(writes.map(String));
  return value instanceof Error ? { error: value.message } : { result: value };
}

/** The word that a command begins with, and which of its arguments are keys that it makes grow. */
const GROWING = {
  first: `SET SETEX PSETEX SETNX GETSET APPEND SETRANGE INCR INCRBY DECR DECRBY HSET HSETNX HMSET HINCRBY
    LPUSH RPUSH LPUSHX RPUSHX LINSERT LSET SADD ZADD ZINCRBY XADD`,
  second: 'RENAME RENAMENX COPY RPOPLPUSH LMOVE SMOVE',
  odd: 'MSET MSETNX',
};

const tableOf = (names: string) => `{ ${names.split(/\s+/).map((name) => `${name} = true`)} }`;

// Redis hands the text of an error to whoever catches it by pcall, and needs a table where nobody does; the embedded one
// needs the text in both cases. Where an error is caught as what was raised, it is the embedded one.
const PROLOGUE = `
local redis, writes = (function(real, argv)
  local first, second, odd = ${tableOf(GROWING.first)}, ${tableOf(GROWING.second)}, ${tableOf(GROWING.odd)}
  local n, seen, writes = #argv, 0, {}
  local from, last, names, forms, said = tonumber(argv[n - 4]), tonumber(argv[n - 3]), argv[n - 2], argv[n - 1], argv[n]
  for i = n, n - 4, -1 do argv[i] = nil end
  local unwraps = type(select(2, pcall(error, { err = said }))) == 'string'
  local function is_refused(name, ...)
    if type(name) ~= 'string' then return false end
    name = string.upper(name)
    local from_arg, step = first[name] and 1 or second[name] and 2 or odd[name] and 1, odd[name] and 2 or math.max(2, select('#', ...))
    if not from_arg then return false end
    local words, meant = { name }, forms == ''
    for i = from_arg, select('#', ...), step do
      local key = tostring((select(i, ...)))
      words[#words + 1] = key
      for form in string.gmatch(forms, '[^\\n]+') do meant = meant or string.find(key, form) ~= nil end
    end
    writes[#writes + 1] = table.concat(words, ' ')
    if not meant or (names ~= '' and not string.find(names, ' ' .. name .. ' ', 1, true)) then return false end
    seen = seen + 1
    return seen >= from and seen <= last
  end
  local shadow = {
    call = function(...)
      if is_refused(...) then error(unwraps and { err = said } or said, 0) end
      return real.call(...)
    end,
    pcall = function(...)
      if is_refused(...) then return { err = said } end
      return real.pcall(...)
    end,
  }
  return setmetatable(shadow, { __index = real }), writes
end)(redis, ARGV)
local function script()`
  .split('\n')
  .map((line) => line.trim())
  .join(' ');

const EPILOGUE = '\nend\nreturn { writes, (script()) }';

/** Behind a first line `#!lua …`, which has to stay the first. */
function withPrologue(text: string): string {
  const at = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0;
  return `${text.slice(0, at)}${PROLOGUE} ${text.slice(at)}${EPILOGUE}`;
}
