/** The module that the scripts become: the segments of their texts, and an export for each, whose text is joined when it is first asked for. */
import { readSignature, tupleOf } from './card.ts';
import { type Linked, linkAll } from './link.ts';
import { joinLines, printAll, type Segment } from './segments.ts';
import type { Sources } from './sources.ts';

/** @param stamp what it was made of */
export function moduleOf(sources: Sources, stamp: string): string {
  const program = linkAll(sources);
  const { segments, own } = printAll(program);
  const scripts = program.scripts.map((script) => {
    const { keys, args, readsOnly } = readSignature(script.source);
    const text = JSON.stringify(joinLines(own.get(script) ?? []));
    const given = [JSON.stringify(script.name), readsOnly, 'SEGMENTS', maskOf(script, segments), text].join(', ');
    const type = `Script<${tupleOf(keys)}, ${tupleOf(args)}>`;
    return `export const ${exportOf(script.name)}: ${type} = /* @__PURE__ */ defineScript(${given});`;
  });
  return [
    `// ${stamp}`,
    '// Made by scripts/lua.ts of the .lua files beside it: change those.',
    "import { defineScript, type Digits, type Flag, type Script } from './script.ts';",
    "import type { Key } from '../keys.ts';",
    'const SEGMENTS = [',
    ...segments.map(({ lines }) => `  ${JSON.stringify(joinLines(lines))},`),
    '];',
    ...scripts,
    '',
  ].join('\n');
}

/**
 * A bit for each segment, the lowest for the first. A bundler that knew each by a name could leave out those that a deployment does not
 * use: they are 0.4 KiB of the core, and the names half a KiB of all of v1.
 */
function maskOf(script: Linked, segments: Segment[]): string {
  const bits = segments.map(({ users }) => (users.has(script) ? '1' : '0'));
  return `0x${BigInt(`0b${bits.toReversed().join('')}`).toString(16)}n`;
}

/** `list-queues` is exported as `listQueues`. */
const exportOf = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
