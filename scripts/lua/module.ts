/** The module that the scripts become: an export for each, whose text is made of segments when it is first asked for. */
import { readSignature, tupleOf } from './card.ts';
import { linkAll } from './link.ts';
import { joinLines, printAll } from './segments.ts';
import type { Sources } from './sources.ts';

/** @param stamp what it was made of */
export function moduleOf(sources: Sources, stamp: string): string {
  const program = linkAll(sources);
  const { segments, own } = printAll(program);
  // Of the same text there is one: many blocks end alike.
  const distinct = new Set(segments.map(({ lines }) => joinLines(lines)));
  const texts = new Map([...distinct].map((text, index) => [text, `s${index}`]));
  const scripts = program.scripts.map((script) => {
    const { keys, args, readsOnly } = readSignature(script.source);
    const shared = segments.flatMap(({ users, lines }) => (users.has(script) ? [texts.get(joinLines(lines))] : []));
    const text = JSON.stringify(joinLines(own.get(script) ?? []));
    const given = [JSON.stringify(script.name), readsOnly, ...shared, text].join(', ');
    const type = `Script<${tupleOf(keys)}, ${tupleOf(args)}>`;
    return `export const ${exportOf(script.name)}: ${type} = /* @__PURE__ */ defineScript(${given});`;
  });
  return [
    `// ${stamp}`,
    '// Made by scripts/lua.ts of the .lua files beside it: change those.',
    "import { defineScript, type Digits, type Flag, type Script } from './script.ts';",
    "import type { Key } from '../keys.ts';",
    ...[...texts].map(([text, name]) => `const ${name} = ${JSON.stringify(text)};`),
    ...scripts,
    '',
  ].join('\n');
}

/** `list-queues` is exported as `listQueues`. */
const exportOf = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
