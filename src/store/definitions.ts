/**
 * What a deployment defines, as its calls bring it along: as text where that is short, else by the digest under which Redis keeps it. As
 * with scripts, a call that names a digest Redis does not know is told so, puts what it stands for, and comes again.
 */

import { StorageError } from '../errors.ts';
import { shortDigest } from '../formats/digest.ts';
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import type { Shard } from '../redis/shard.ts';

/** What a call says of the deployment, in the form that the scripts take. */
export interface Deployment {
  policies: string;
  /** Each queue with its pool; '' where Redis keeps the policies. */
  pools: string;
  /** The keys where it keeps them. */
  kept: string[];
}

interface Answer {
  reply: unknown;
  retried: boolean;
}

/** How the scripts that need to know the deployment are called. */
export interface Definitions {
  /** @throws StorageError */
  run(shard: Shard, call: (deployment: Deployment) => Promise<Answer>): Promise<Answer>;
}

/** Longer policies are kept in Redis: each call would bring them along. */
const LONGEST = 4_096;
/** Characters of one part that is put. */
const PART = 65_536;
/** What the `EXISTS` of a sweep asks for: see named.lua. */
const PAGE = 97;
/** A digest is put so often in one call: something takes it away again. */
const TRIES = 3;
/** Where Redis does not keep them, calls bring them along for so long. */
const INLINE_MS = 60_000;

export function openDefinitions(policies: string, queues: Iterable<{ name: string; pool: string }>): Definitions {
  const listed = [...queues];
  const tellAll = () => ({ policies, pools: listed.map(({ name, pool }) => `\n${name} ${pool}`).join(''), kept: [] });
  if (policies.length <= LONGEST) return { run: (_, call) => call(tellAll()) };
  let opened: Kept | undefined; // no promise of it: one that the platform ended would never come true
  let inlineUntil = 0;
  return {
    async run(shard, call) {
      opened ??= await openKept(policies, listed);
      const deployment = { policies: opened.reference, pools: '', kept: [shard.keys.policies(opened.digest)] };
      let retried = false;
      for (let tries = 0; tries < TRIES && Date.now() >= inlineUntil; tries++) {
        const answer = await call(deployment);
        retried ||= answer.retried;
        if (!isUnknown(answer.reply)) return { ...answer, retried };
        if (!(await put(shard, opened))) break;
      }
      inlineUntil = Math.max(inlineUntil, Date.now() + INLINE_MS);
      const answer = await call(tellAll());
      return { ...answer, retried: retried || answer.retried };
    },
  };
}

const isUnknown = (reply: unknown): boolean => Array.isArray(reply) && reply[0] === 'unknown';

/** The same as Redis keeps it. */
interface Kept {
  digest: string;
  /** What calls say in its place. */
  reference: string;
  parts: { pools: string; fields: string[] }[];
  count: number;
}

async function openKept(policies: string, queues: { name: string; pool: string }[]): Promise<Kept> {
  const lines = policies.split('\n').slice(1);
  const words = new Map(queues.map(({ name, pool }) => [name, pool]));
  for (const [, name = '', said = ''] of policies.matchAll(/^(\w\S*) (.+)$/gm)) words.set(name, said);
  const names = [...words.keys()].toSorted();
  const pages = Array.from({ length: Math.ceil(names.length / PAGE) }, (_, page): [string, string] => [
    `@${page}`,
    names.slice(page * PAGE, (page + 1) * PAGE).join(' '),
  ]);
  const digest = await shortDigest(JSON.stringify([policies, ...words]));
  const ages = [...words.values()].some((said) => /^\*.* a=/.test(said)) ? ' a=1' : '';
  const own = (first: string) => lines.filter((line) => line[0] === first);
  const told = [...own('.'), `@${digest} * ${pages.length}${ages}`, ...own('!')];
  const fields = [...words, ...pages];
  return { digest, reference: told.map((line) => `\n${line}`).join(''), parts: divide(fields), count: fields.length };
}

function divide(fields: [field: string, value: string][]): Kept['parts'] {
  const parts: Kept['parts'] = [];
  let room = 0;
  for (const [field, value] of fields) {
    if (room <= 0) room = parts.push({ pools: '', fields: [] }) && PART;
    const part = parts.at(-1) as Kept['parts'][0];
    part.fields.push(field, value);
    if (!field.startsWith('@')) part.pools += `\n${field} ${value.split(' ', 1)[0]}`;
    room -= field.length + value.length;
  }
  return parts;
}

/** @returns whether Redis may have it now: not where it refuses it, as where it is full @throws StorageError */
async function put({ keys, run }: Shard, { digest, parts, count }: Kept): Promise<boolean> {
  try {
    for (const [i, { pools, fields }] of parts.entries()) {
      const isLast = i === parts.length - 1;
      await run(
        scripts.putPolicies,
        [keys.policies(digest), keys.totals],
        [digits(isLast ? count : 0), pools, ...fields],
      );
    }
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'refused') return false;
    throw error;
  }
}
