/** The arguments of a call by the names that the card of its script has for them: for tools that look at what passes. */
import { join } from 'node:path';
import { type Element, readSignature } from './card.ts';
import { readSources } from './sources.ts';

export interface NamedArguments {
  /** @throws Error where the card has no such name: what is misread would look as if it had not happened */
  named(label: string): string;
  /** What stands behind those that have a name. */
  more: string[];
}

const signatures = new Map<string, Element[]>();

/** @throws Error where there is no such script */
export function nameArguments(script: string, args: readonly string[]): NamedArguments {
  const elements = argumentsOf(script).filter(({ label }) => !label.startsWith('...'));
  const named = (label: string) => {
    const index = elements.findIndex((element) => element.label === label);
    if (index < 0) throw new Error(`the card of ${script} has no argument ${label}`);
    return args[index] ?? '';
  };
  return { named, more: args.slice(elements.length) };
}

function argumentsOf(script: string): Element[] {
  if (signatures.size === 0) {
    const { commands } = readSources(join(import.meta.dirname, '../../src/redis/lua'));
    for (const source of commands.values()) signatures.set(source.name, readSignature(source).args);
  }
  const found = signatures.get(script);
  if (!found) throw new Error(`there is no script named ${script}`);
  return found;
}
