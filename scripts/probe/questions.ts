/** The questions, in the order in which they are asked: the dear ones last. What is expected of the service stands in expected.json, by their names. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import * as scripts from '../../src/redis/lua/generated.ts';
import type { Json, Parts } from './answers.ts';
import { DEAR } from './dear-questions.ts';
import { fieldOf, sectionsOf } from './info.ts';
import { COMMANDS } from './lua.ts';
import { digestOf, limitIn, type Probe, type Question, told } from './question.ts';

const KEY_LIMIT = 32_768;
const WRONGTYPE = `redis.call('SET', KEYS[1], '1') return redis`;

const CHEAP: readonly Question[] = [
  {
    name: 'lua',
    asks: 'which Lua runs scripts?',
    matters: 'Others than that of Redis differ in string.match, numbers, and how much a call takes.',
    commands: 2,
    ask: async ({ run }) => ({
      version: await run('return _VERSION'),
      gopher: await run(
        `local is, version = pcall(function() return _GOPHER_LUA_VERSION end) return is and version or 'none'`,
      ),
    }),
  },
  {
    name: 'lua-numbers',
    asks: 'how are numbers written, and read?',
    matters:
      'Sluice formats each number that it computed. It reads scores: one with an exponent would be none on gopher-lua.',
    commands: 5,
    ask: async ({ key, run }) => ({
      tostring: await run('return tostring(1e15)'),
      exponent: await run(`return tostring(tonumber('1e3'))`),
      argument: await run(`redis.call('SET', KEYS[1], 3.7) return redis.call('GET', KEYS[1])`, [key('n')]),
    }),
  },
  {
    name: 'lua-match',
    asks: 'what is tonumber(string.match(…)) where nothing matches?',
    matters: 'It raises on gopher-lua. Sluice writes `or ""` there.',
    commands: 1,
    ask: async ({ run }) => ({ result: await run(`return tonumber(string.match('a', '%d'))`) }),
  },
  {
    name: 'lua-unpack',
    asks: 'how many values does unpack take?',
    matters: 'Sluice passes 200 at a time.',
    commands: 2,
    ask: async ({ run }) => {
      const unpacked = 'local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = i end return select("#", unpack(t))';
      return { 200: await run(unpacked, [], [200]), 4000: await run(unpacked, [], [4_000]) };
    },
  },
  {
    name: 'lua-concat',
    asks: 'how many texts does table.concat join?',
    matters: 'Sluice joins 1,000 at most.',
    commands: 2,
    ask: async ({ run }) => {
      const joined = `local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = 'x' end return #table.concat(t)`;
      return { 1000: await run(joined, [], [1_000]), 5000: await run(joined, [], [5_000]) };
    },
  },
  {
    name: 'scripts',
    asks: "are all of Sluice's scripts taken, the largest of which has some 85 kB?",
    matters: 'One that is not compiled is a call that never works.',
    commands: Object.keys(scripts).length,
    bytes: Object.values(scripts).reduce((sum, { source }) => sum + source.length, 0),
    ask: async ({ run }) => {
      const refused: string[] = [];
      for (const { name, source } of Object.values(scripts)) {
        const said = await run(`do return 'taken' end ${source}`);
        if (said !== 'taken') refused.push(`${name}: ${said}`);
      }
      return { refused };
    },
  },
  {
    name: 'commands',
    asks: 'which of the commands that Sluice calls are refused inside a script?',
    matters: 'None may be.',
    commands: 1 + COMMANDS.length,
    ask: async ({ key, run }) => {
      const keys = ['text', 'list', 'list-2', 'hash', 'set', 'gone'].map(key);
      const calls = COMMANDS.map((words) => `{ ${words} }`).join(', ');
      const source = `local refused = {}
        for _, words in ipairs({ ${calls} }) do
          local said = redis.pcall(unpack(words))
          if type(said) == 'table' and said.err then refused[#refused + 1] = words[1] .. ': ' .. said.err end
        end
        return refused`;
      return { refused: await run(source, keys) };
    },
  },
  {
    name: 'large-argument',
    asks: 'does a script take an argument of 4 MB?',
    matters: 'An enqueue of 1,000 messages may be as large.',
    commands: 1,
    bytes: 4_000_000,
    ask: async ({ send }) => {
      const reply = await send(['EVAL', 'return #ARGV[1]', 0, 'x'.repeat(4_000_000)]);
      return { status: reply.status, length: told(reply) };
    },
  },
  {
    name: 'scan-braces',
    asks: 'does SCAN MATCH find keys with braces in their names?',
    matters: 'All of Sluice’s have them. Where braces mean something else a sweep sees nothing.',
    commands: 4,
    ask: async (probe) => {
      await probe.send(['SET', probe.key('a'), 1]);
      const form = probe.key('*');
      return {
        plain: await count(probe, form),
        escaped: await count(probe, form.replace(/[{}]/g, '\\$&')),
        anyCharacter: await count(probe, form.replace(/[{}]/g, '?')),
      };
    },
  },
  {
    name: 'scores',
    asks: 'how is a score of 17 digits read?',
    matters: "The index of lanes has such scores: a rounded one changes a lane's turn.",
    commands: 3,
    ask: async ({ key, run }) => {
      const read = `redis.call('ZADD', KEYS[1], '10696049115004928', 'm') local score = redis.call('ZSCORE', KEYS[1], 'm')`;
      const [text, isRead] = (await run(`${read} return { score, tostring(tonumber(score) == 10696049115004928) }`, [
        key('set'),
      ])) as [Json, Json];
      return { text, isExact: Number(text) === 10_696_049_115_004_928, isRead };
    },
  },
  {
    name: 'nothing',
    asks: 'what does a script get where there is nothing?',
    matters: 'Sluice’s scripts compare with false.',
    commands: 9,
    ask: async ({ key, run }) => {
      const shown = (call: string) => run(`return tostring(redis.call(${call}))`, [key('gone')]);
      const holes = `redis.call('HSET', KEYS[1], 'x', 'a', 'z', 'c') local t = redis.call('HMGET', KEYS[1], 'x', 'y', 'z')`;
      return {
        lpop: await shown(`'LPOP', KEYS[1]`),
        lpopMany: await shown(`'LPOP', KEYS[1], '2'`),
        lmpop: await shown(`'LMPOP', '1', KEYS[1], 'RIGHT'`),
        hmget: await run(`${holes} return { tostring(t[1]), tostring(t[2]), tostring(t[3]) }`, [key('hash')]),
      };
    },
  },
  {
    name: 'script-errors',
    asks: 'in which words are errors of scripts told?',
    matters: 'Sluice tells by their codes whether a key has a wrong type, or storage refused.',
    commands: 11,
    ask: async ({ key, run, send }) => {
      const keys = [key('text')];
      const raising = `${WRONGTYPE}.call('RPUSH', KEYS[1], '1')`;
      const raised = await send(['EVAL', raising, 1, ...keys]);
      return {
        status: raised.status,
        call: told(raised),
        evalsha: told(await send(['EVALSHA', digestOf(raising), 1, ...keys])),
        pcall: await run(`${WRONGTYPE}.pcall('RPUSH', KEYS[1], '1').err`, keys),
        own: await run(`return redis.error_reply('NO way')`),
        readOnly: told(await send(['EVAL_RO', `\nreturn redis.call('SET', KEYS[1], '1')`, 1, ...keys])),
      };
    },
  },
  {
    name: 'error-after-write',
    asks: 'what becomes of what a script wrote before it failed?',
    matters: 'Sluice puts before it removes, so that both are right.',
    commands: 4,
    ask: async ({ key, run, send }) => {
      await run(`redis.call('SET', KEYS[1], '1') return redis.call('RPUSH', KEYS[1], '1')`, [key('text')]);
      const { result } = await send(['EXISTS', key('text')]);
      return { write: result === 1 ? 'kept' : 'undone' };
    },
  },
  {
    name: 'noscript',
    asks: 'what does EVALSHA of a script that is not known say?',
    matters: 'Sluice then sends the text; any other refusal is final.',
    commands: 1,
    ask: async ({ send }) => {
      const reply = await send(['EVALSHA', randomBytes(20).toString('hex'), 0]);
      return { status: reply.status, text: told(reply) };
    },
  },
  {
    name: 'expiry',
    asks: 'is a key of one second there after 900 ms, and gone after 1,100?',
    matters: 'Names of calls, and whether somebody is awake, are kept so.',
    commands: 13,
    ask: async (probe) => {
      let answers: Parts | undefined;
      for (let tries = 0; tries < 3 && answers === undefined; tries++) answers = await expiryOf(probe);
      return answers ?? {};
    },
  },
  {
    name: 'info',
    asks: 'what does INFO tell?',
    matters: '`GET /health` reads eviction and memory there.',
    commands: 0,
    bytes: 8_000,
    ask: async ({ send }) => {
      const info = String((await send(['INFO'])).result);
      return {
        sections: sectionsOf(info),
        policy: fieldOf(info, 'maxmemory_policy') ?? null,
        hasMaxmemory: Number(fieldOf(info, 'maxmemory') ?? 0) > 0,
        hasUpstashVersion: fieldOf(info, 'upstash_version') !== undefined,
      };
    },
  },
  {
    name: 'billing',
    asks: 'how many commands is a script of ten calls, by INFO?',
    matters: 'docs/cost.md counts each of them. Others who use the database meanwhile are counted too.',
    commands: 11,
    bytes: 20_000,
    ask: async ({ key, run, send }) => {
      const total = async () => Number(fieldOf(String((await send(['INFO'])).result), 'total_commands_processed'));
      const first = await total();
      const second = await total();
      await run(`for i = 1, 10 do redis.call('GET', KEYS[1]) end`, [key('gone')]);
      const commands = (await total()) - second - (second - first); // without the INFO itself
      return { commands: Number.isNaN(commands) ? null : commands };
    },
  },
  {
    name: 'key-locking',
    asks: 'which keys may a script with the flag allow-key-locking use?',
    matters: 'Without it each script holds up the whole database. All keys of Sluice share a hash tag.',
    commands: 8,
    ask: async ({ key, keyElsewhere, run }) => {
      const flag = '#!lua flags=allow-key-locking\n';
      const writes = `return redis.call('SET', ARGV[1], '1')`;
      const [declared, same, other] = [key('a'), key('b'), keyElsewhere('c')];
      return {
        declared: await run(flag + writes, [declared], [declared]),
        sameTag: await run(flag + writes, [declared], [same]),
        otherTag: await run(flag + writes, [declared], [other]),
        notFirst: await run(`\n${flag}${writes}`, [declared], [other]),
      };
    },
  },
  {
    name: 'memory-usage',
    asks: 'does MEMORY USAGE tell how large a key is?',
    matters: 'It could say how near a record is to its limit.',
    commands: 2,
    ask: async ({ key, send }) => {
      await send(['SET', key('text'), 'x'.repeat(1_000)]);
      return { isNumber: typeof (await send(['MEMORY', 'USAGE', key('text')])).result === 'number' };
    },
  },
  {
    name: 'config',
    asks: 'what does CONFIG GET know?',
    matters: 'Whether eviction can be asked there.',
    commands: 0,
    ask: async ({ send }) => {
      const names = async (name: string) => {
        const reply = await send(['CONFIG', 'GET', name]);
        return Array.isArray(reply.result) ? reply.result.filter((_, i) => i % 2 === 0) : told(reply);
      };
      return { known: await names('notify-keyspace-events'), policy: await names('maxmemory-policy') };
    },
  },
  {
    name: 'sync-token',
    asks: 'does each answer carry a sync token?',
    matters: 'Sluice sends it back, and decides nothing by reads outside scripts.',
    commands: 3,
    ask: async ({ key, send }) => {
      const first = await send(['SET', key('text'), 1]);
      const read = await send(['GET', key('text')]);
      const second = await send(['SET', key('text'), 2]);
      const tokens = [first, read, second].map(({ syncToken }) => syncToken);
      return { everywhere: tokens.every(Boolean), changes: second.syncToken !== first.syncToken };
    },
  },
  {
    name: 'key-size',
    asks: 'how are a key, a member and a field of more than 32 KB refused?',
    matters: 'Sluice’s are far shorter: what it refuses itself comes first.',
    commands: 3,
    bytes: 3 * 66_000,
    ask: async ({ key, send, undo }) => {
      const long = 'x'.repeat(KEY_LIMIT + 1);
      const name = `${key('')}${long}`; // to be removed only where it was taken: a removal would be refused as well
      const tooLong = await send(['SET', name, 1]);
      if (tooLong.error === undefined) undo(['UNLINK', name]);
      return {
        key: told(tooLong),
        ...limitIn(tooLong),
        member: told(await send(['ZADD', key('set'), 1, long])),
        field: told(await send(['HSET', key('hash'), long, 1])),
      };
    },
  },
  {
    name: 'bodies',
    asks: 'in which words are requests refused that are no command?',
    matters: 'The emulator uses them.',
    commands: 0,
    ask: async ({ key, post }) => {
      const noCommand = await post('[]');
      const said = async (body: unknown) => told(await post(JSON.stringify(body)));
      return {
        status: noCommand.status,
        noCommand: told(noCommand),
        empty: told(await post('')),
        noArray: await said({ get: key('gone') }),
        noJson: told(await post('GET')),
        nullArgument: await said(['SET', key('text'), null]),
        nested: await said([['GET', key('gone')]]),
      };
    },
  },
  {
    name: 'refused-commands',
    asks: 'in which words are commands refused?',
    matters: 'Sluice calls none of them. The emulator refuses what the service does.',
    commands: 3,
    ask: async ({ key, run, send }) => {
      const multi = await send(['MULTI']);
      return {
        status: multi.status,
        connection: told(multi),
        blocking: told(await send(['BLPOP', key('gone'), 1])),
        unknown: told(await send(['NOSUCH'])),
        unknownInScript: await run(`return redis.pcall('NOSUCH').err`),
        undocumented: told(await send(['LCS', key('gone'), key('text')])),
      };
    },
  },
  {
    name: 'errors',
    asks: 'in which words do commands fail, and a wrong token?',
    matters: 'The emulator uses them.',
    commands: 4,
    ask: async ({ key, post, send }) => {
      await send(['SET', key('text'), 'x']);
      const stranger = await post('["PING"]', randomBytes(20).toString('base64url'));
      return {
        arity: told(await send(['GET'])),
        integer: told(await send(['INCR', key('text')])),
        wrongType: told(await send(['RPUSH', key('text'), 1])),
        tokenStatus: stranger.status,
        token: told(stranger),
      };
    },
  },
];

export const QUESTIONS: readonly Question[] = [...CHEAP, ...DEAR];

/** @returns undefined where the first answer came too late to tell */
async function expiryOf({ key, run, send }: Probe): Promise<Parts | undefined> {
  const sentAt = performance.now();
  await run(`return redis.call('SET', KEYS[1], '1', 'PX', '1000')`, [key('text')]);
  const writtenAt = performance.now();
  const isThere = async () => (await send(['EXISTS', key('text')])).result === 1;
  await pause(sentAt + 900 - performance.now()); // it was written later than it was sent: so much at most
  const after900 = await isThere();
  if (!after900 && performance.now() > sentAt + 1_000) return undefined;
  await pause(writtenAt + 1_100 - performance.now()); // and before it was answered: so much at least
  return { after900, after1100: await isThere() };
}

/** Keys that a form finds, on 50 pages at most: a database may hold much besides. */
async function count({ send }: Probe, form: string): Promise<number> {
  let found = 0;
  let cursor = '0';
  for (let page = 0; page < 50; page++) {
    const { result } = await send(['SCAN', cursor, 'MATCH', form, 'COUNT', 1_000]);
    const [next, keys] = result as [string | number, string[]];
    found += keys.length;
    cursor = String(next);
    if (cursor === '0') break;
  }
  return found;
}
