/**
 * Which keys scripts touch besides those that their callers declare: each script's card says it, and what it says is checked at
 * every call that goes through this runner.
 *
 * The text of a script gets a first line before it, in which `redis` is another that looks at the keys of each call; the line numbers
 * stay. No command is added.
 */
import { readFileSync } from 'node:fs';
import type { Script } from '../../src/redis/lua/script.ts';
import type { Runner } from '../../src/redis/runner.ts';

const PROLOGUE = `
local redis, touched = (function(real)
  local declared, kinds = {}, {}
  local keyless, each, pairs_of, two = { TIME = 1, SCAN = 1 }, { EXISTS = 1, UNLINK = 1, MGET = 1 }, { MSET = 1, MSETNX = 1 },
    { RENAME = 1, RPOPLPUSH = 1, COPY = 1 }
  for _, key in ipairs(KEYS) do declared[key] = true end
  local function look(name, ...)
    if keyless[name] then return end
    local last = (each[name] or pairs_of[name]) and select('#', ...) or two[name] and 2 or 1
    for i = 1, last, pairs_of[name] and 2 or 1 do
      local key = select(i, ...)
      if not declared[key] then kinds[string.match(key, '^{.-}:(%l+:?)') or key] = true end
    end
  end
  local shadow = {
    call = function(...) look(...) return real.call(...) end,
    pcall = function(...) look(...) return real.pcall(...) end,
  }
  return setmetatable(shadow, { __index = real }), kinds
end)(redis)
local function script()`
  .split('\n')
  .map((line) => line.trim())
  .join(' ');

const EPILOGUE = `
end
local reply, kinds = script(), {}
if type(reply) == 'table' and reply.err then return reply end
for kind in pairs(touched) do kinds[#kinds + 1] = kind end
return { kinds, reply }`;

/** By their texts: tests may change one. */
const checked = new Map<string, Script>();

/**
 * @param tell told of each kind of key that a script touched though neither its caller declared it nor its card says so
 * @param cardOf the kinds that a card names
 */
export function checkingRunner(runner: Runner, tell: (undeclared: string) => void, cardOf = beyond): Runner {
  return {
    async run(script, keys, args) {
      const twin = checked.get(script.source) ?? {
        name: script.name,
        source: `${PROLOGUE} ${script.source}${EPILOGUE}`,
      };
      checked.set(script.source, twin);
      const { reply, retried } = await runner.run(twin, keys, args);
      const [kinds, own = null] = reply as [string[], unknown];
      const known = cardOf(script.name);
      for (const kind of kinds) if (!known.has(kind)) tell(`${script.name} touches ${kind} undeclared`);
      return { reply: own, retried };
    },
  };
}

/** What a card says where there is nothing more. */
const ALL_DECLARED = 'nothing: all its keys are declared';

const cards = new Map<string, Set<string>>();

/** The kinds of keys that a script's card names as touched beyond KEYS: '<name>', or '<name>:' of those that have more behind it. */
export function beyond(name: string): Set<string> {
  const known = cards.get(name);
  if (known) return known;
  const text = readFileSync(`src/redis/lua/commands/${name}.lua`, 'utf8');
  const said = /^-- Beyond {3}(.+(?:\n-- {10}.+)*)$/m.exec(text)?.[1];
  if (said === undefined) throw new Error(`the card of ${name} does not say which keys it touches beyond KEYS`);
  const kinds = new Set(
    said === ALL_DECLARED ? [] : said.split(/,\s+(?:-- +)?/).map((form) => form.replace(/:.*/, ':')),
  );
  cards.set(name, kinds);
  return kinds;
}
