/**
 * What scripts share is shipped once: their includes, one behind the other, fall into segments that the same scripts need, and a script
 * is its segments and its own text. Each include is a block of which only what others use is visible, because Lua gives a
 * script 200 locals.
 */
import type { Linked, Program } from './link.ts';
import { type ShortNames, shortNamesIn } from './names.ts';
import { type Line, printed } from './print.ts';
import type { Source } from './sources.ts';

export interface Segment {
  lines: Line[];
  /** The scripts that need it. */
  users: Set<Linked>;
}

/** A program as it is deployed. */
export interface Printed {
  segments: Segment[];
  /** What each script has of its own, behind its segments. */
  own: Map<Linked, Line[]>;
}

export function printAll(program: Program): Printed {
  const namesOf = shortNamesIn(program);
  const own = program.scripts.map((script) => {
    const names = namesOf(script.source);
    return [script, script.source.statements.flatMap((statement) => printed(statement, names))] as const;
  });
  return { segments: segmentsOf(program, namesOf), own: new Map(own) };
}

function segmentsOf(program: Program, namesOf: (source: Source) => ShortNames): Segment[] {
  const segments: Segment[] = [];
  const add = (lines: Line[], users: Set<Linked>) => {
    const last = segments.at(-1);
    if (last && isSame(last.users, users)) last.lines.push(...lines);
    else segments.push({ lines, users });
  };
  for (const include of program.includes) {
    const users = new Set(program.scripts.filter(({ needs }) => include.statements.some((each) => needs.has(each))));
    if (users.size === 0) continue;
    const names = namesOf(include);
    const exported = program.exports.get(include) ?? new Set();
    const head = [...exported].map((name) => names.get(name) ?? name).join(',');
    add([{ text: head === '' ? 'do' : `local ${head} do`, from: include.file }], users);
    for (const statement of include.statements) {
      const needing = new Set([...users].filter(({ needs }) => needs.has(statement)));
      const isExported = statement.declares.some((name) => exported.has(name));
      const lines = printed(statement, names, isExported);
      if (needing.size > 0 && lines.length > 0) add(lines, needing);
    }
    add([{ text: 'end', from: include.file }], users);
  }
  return segments;
}

const isSame = (a: Set<Linked>, b: Set<Linked>) => a.size === b.size && [...a].every((each) => b.has(each));

/** A script as Redis gets it. */
export const linesOf = (script: Linked, { segments, own }: Printed): Line[] => [
  ...segments.filter(({ users }) => users.has(script)).flatMap(({ lines }) => lines),
  ...(own.get(script) ?? []),
];

export const joinLines = (lines: Line[]): string => lines.map(({ text }) => text).join('\n');
