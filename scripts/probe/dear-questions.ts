/** Questions that cost much, hold the database up for seconds, or make more than keys: asked with --all, or by their names. */
import { setTimeout as pause } from 'node:timers/promises';
import { digestOf, limitIn, type Probe, plain, type Question, told } from './question.ts';

const MIB = 1_048_576;

export const DEAR: readonly Question[] = [
  {
    name: 'acl',
    asks: 'does a pattern of keys hold for keys that a script makes up? It makes a user, and removes it.',
    matters: 'With it a token for Sluice alone could be made.',
    commands: 8,
    ask: async ({ key, keyElsewhere, name, send, undo }) => {
      const made = await send(['ACL', 'GENTOKEN', name]);
      if (typeof made.result !== 'string') return { setUser: told(made) };
      undo(['ACL', 'DELUSER', name]);
      const user = await send(['ACL', 'SETUSER', name, 'on', `>${made.result}`, `~${key('*')}`, '+@all', '-@admin']);
      if (user.error !== undefined) return { setUser: told(user) };
      const writing = async (written: string) =>
        told(await send(['EVAL', `return redis.call('SET', ARGV[1], '1')`, 0, written], made.result as string));
      return { setUser: told(user), within: await writing(key('a')), outside: await writing(keyElsewhere('b')) };
    },
  },
  busy(1),
  busy(3),
  busy(6),
  {
    name: 'request-size',
    asks: 'how is a request of more than 10 MB refused?',
    matters: 'Sluice’s have 4 MiB at most. The emulator answers as the service does.',
    commands: 2,
    bytes: 20 * MIB,
    ask: async ({ key, post }) => {
      const writing = (bytes: number) => post(JSON.stringify(['SET', key('text'), 'x'.repeat(bytes)]));
      const below = await writing(9.9 * MIB);
      const above = await writing(10.1 * MIB);
      return {
        below: below.status,
        above: above.status,
        type: mediaType(above.type),
        text: told(above),
        ...limitIn(above),
      };
    },
  },
  {
    name: 'reply-size',
    asks: 'how is a reply of more than 10 MB refused?',
    matters: 'Sluice’s have 4 MB at most.',
    commands: 6,
    bytes: 20 * MIB,
    ask: async ({ key, post, run }) => {
      const read = async (name: string, bytes: number) => {
        await run(`redis.call('SET', KEYS[1], string.rep('x', tonumber(ARGV[1])))`, [key(name)], [Math.floor(bytes)]);
        return post(JSON.stringify(['GET', key(name)]));
      };
      const below = await read('below', 9.9 * MIB);
      const above = await read('above', 10.1 * MIB);
      return { below: below.status, above: above.status, text: told(above) };
    },
  },
  {
    name: 'record',
    asks: 'what becomes of a list that a script took from before it met a full record?',
    matters: 'Sluice puts before it removes because of it.',
    commands: 130,
    ask: async ({ key, run, send }) => {
      const full = key('text');
      const growing = `for i = 1, 10 do
          local said = redis.pcall('APPEND', KEYS[1], string.rep('x', 1000000))
          if type(said) == 'table' and said.err then return said.err end
        end
        return 'taken'`;
      let append = await run(growing, [full]);
      for (let grown = 10; append === 'taken' && grown < 110; grown += 10) append = await run(growing, [full]);
      if (append === 'taken') return { append };
      const { result: bytes } = await send(['STRLEN', full]);
      await send(['RPUSH', key('list'), 'x']);
      const taking = `redis.call('LMPOP', 1, KEYS[1], 'RIGHT') redis.call('APPEND', KEYS[2], string.rep('x', 10000000))`;
      const inScript = await run(taking, [key('list'), full]);
      const { result: left } = await send(['LLEN', key('list')]);
      return { append, megabytes: Math.floor(Number(bytes) / 1e6), inScript, list: left === 1 ? 'kept' : 'gone' };
    },
  },
  {
    name: 'parallel',
    asks: 'what do 200 scripts at once get?',
    matters: 'Drains work side by side.',
    commands: 402,
    ask: async ({ key, run, send }) => {
      const source = `return redis.call('INCR', KEYS[1])`;
      await run(source, [key('count')]);
      const call = () => send(['EVALSHA', digestOf(source), 1, key('count')]).catch(() => undefined);
      const replies = (await Promise.all(Array.from({ length: 200 }, call))).filter(
        (reply) => reply?.error === undefined,
      );
      const ms = replies.flatMap((reply) => reply?.ms ?? []).sort((a, b) => a - b);
      const at = (share: number) => Math.round(ms[Math.floor(share * (ms.length - 1))] ?? -1);
      const syncTokens = new Set(replies.map((reply) => reply?.syncToken)).size;
      return { unanswered: 200 - ms.length, syncTokens, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
    },
  },
];

/** A script that computes for so long, and another caller meanwhile. */
function busy(seconds: number): Question {
  return {
    name: `busy-${seconds}s`,
    asks: `does a script that computes for ${seconds} s come to its end, and do others wait for it?`,
    matters: 'Nobody can stop a script there. Sluice’s take milliseconds.',
    commands: 14,
    ask: async ({ key, run, send }) => {
      const turns = await turnsOf(seconds * 1_000, send);
      if (typeof turns === 'string') return { ends: turns };
      const startedAt = performance.now();
      const script = run(COMPUTING, [], [turns]).catch((error: Error) => error.message);
      await pause(HEAD_START_MS);
      const other = await send(['GET', key('gone')]);
      const answeredAt = performance.now();
      const ended = await script;
      const endedAt = performance.now();
      const tookMs = Math.round(endedAt - startedAt);
      // Both are answered together where the other waited, however late it was sent.
      const waited = endedAt - answeredAt < (tookMs - HEAD_START_MS) / 2;
      const others = other.error === undefined ? (waited ? 'wait' : 'go on') : plain(other.error);
      return { ends: ended === 'ended' ? true : ended, tookMs, others };
    },
  };
}

/** It is there by then, and has most of its time before it. */
const HEAD_START_MS = 200;

const COMPUTING = `for i = 1, tonumber(ARGV[1]) do end return 'ended'`;

/** How often a loop goes round in so long: by trying, because scripts need not have a clock that goes on. @returns the text of an error where it is refused */
async function turnsOf(ms: number, send: Probe['send']): Promise<number | string> {
  const trip = (await send(['EVAL', COMPUTING, 0, 1])).ms;
  for (let turns = 1_000_000; ; turns *= 4) {
    const reply = await send(['EVAL', COMPUTING, 0, turns]);
    if (reply.error !== undefined) return plain(reply.error);
    const took = reply.ms - trip;
    if (took > 200 || turns > 1e10) return Math.ceil((turns * ms) / took);
  }
}

const mediaType = (type: string) => (type.split(';')[0] ?? '').trim();
