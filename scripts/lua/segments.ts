/**
 * What scripts share is shipped once: their includes, one behind the other, fall into segments that the same scripts need, and a script
 * is its segments and its own text. Each include is a block of which only what others use is visible, because Lua gives a
 * script 200 locals.
 */
import type { Linked, Program } from './link.ts';
import { printed } from './print.ts';
import type { Source } from './sources.ts';

export interface Segment {
  text: string;
  /** The scripts that need it. */
  users: Set<Linked>;
}

export function segmentsOf(program: Program): Segment[] {
  const segments: Segment[] = [];
  const add = (text: string, users: Set<Linked>) => {
    const last = segments.at(-1);
    if (last && isSame(last.users, users)) last.text += `\n${text}`;
    else segments.push({ text, users });
  };
  for (const include of program.includes) {
    const users = new Set(program.scripts.filter(({ needs }) => include.statements.some((each) => needs.has(each))));
    if (users.size === 0) continue;
    const names = program.exports.get(include) ?? new Set();
    add(names.size > 0 ? `local ${[...names].join(',')} do` : 'do', users);
    for (const statement of include.statements) {
      const needing = new Set([...users].filter(({ needs }) => needs.has(statement)));
      const text = printed(
        statement,
        statement.declares.some((name) => names.has(name)),
      );
      if (needing.size > 0 && text !== '') add(text, needing);
    }
    add('end', users);
  }
  return segments;
}

const isSame = (a: Set<Linked>, b: Set<Linked>) => a.size === b.size && [...a].every((each) => b.has(each));

export const ownText = ({ statements }: Source) => statements.map((statement) => printed(statement)).join('\n');

/** A script as Redis gets it. */
export const textOf = (script: Linked, segments: Segment[]) =>
  [...segments.filter(({ users }) => users.has(script)).map(({ text }) => text), ownText(script.source)].join('\n');
