/** The arguments of a call by the names that the card of its script has for them: for tools that look at what passes. */
import { join } from 'node:path';
import { type Element, signMessage } from './card.ts';
import { readSources } from './sources.ts';

export interface NamedArguments {
  named: Record<string, string>;
  /** What stands behind those that have a name. */
  more: string[];
}

const signatures = new Map<string, Element[]>();

/** @throws Error where there is no such script */
export function nameArguments(script: string, args: readonly string[]): NamedArguments {
  const elements = argumentsOf(script).filter(({ label }) => !label.startsWith('...'));
  const named = Object.fromEntries(elements.map(({ label }, index) => [label, args[index] ?? '']));
  return { named, more: args.slice(elements.length) };
}

function argumentsOf(script: string): Element[] {
  if (signatures.size === 0) {
    const { commands } = readSources(join(import.meta.dirname, '../../src/redis/lua'));
    for (const source of commands.values()) signatures.set(source.name, signMessage(source).args);
  }
  const found = signatures.get(script);
  if (!found) throw new Error(`there is no script named ${script}`);
  return found;
}
