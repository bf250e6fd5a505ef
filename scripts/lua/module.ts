/** The module that the scripts become: an export for each, whose text is made of segments when it is first asked for. */
import { readSignature, tupleOf } from './card.ts';
import { linkAll } from './link.ts';
import { joinLines, printAll } from './segments.ts';
import type { Sources } from './sources.ts';

/** @param stamp what it was made of */
export function moduleOf(sources: Sources, stamp: string): string {
  const program = linkAll(sources);
  const { segments, own } = printAll(program);
  const scripts = program.scripts.map((script) => {
    const { keys, args, readsOnly } = readSignature(script.source);
    const shared = segments.flatMap(({ users }, index) => (users.has(script) ? [`s${index}`] : []));
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
    ...segments.map(({ lines }, index) => `const s${index} = ${JSON.stringify(joinLines(lines))};`),
    ...scripts,
    '',
  ].join('\n');
}

/** `list-queues` is exported as `listQueues`. */
const exportOf = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
