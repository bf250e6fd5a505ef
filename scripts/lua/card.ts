/** The card at the head of a script: the keys and arguments that it takes, as types of TypeScript. */
import type { Source } from './sources.ts';
import type { Token } from './tokens.ts';

export interface Element {
  label: string;
  type: string;
  isOptional: boolean;
}

interface Signature {
  keys: Element[];
  args: Element[];
  /** Whether a call never writes. */
  readsOnly: boolean;
}

const TYPES: Record<string, string> = { text: 'string', number: 'Digits', clock: `Digits | ''`, flag: 'Flag' };

/** `-- KEYS[1]  zset  ready:<pool>  …` and `-- ARGV[1]  number  leaseMs  …`; a `?` behind the type may be left out. */
const KEY = /^-- KEYS\[(\d+|…)\]\s+(?:(string|hash|list|zset)(\??)\s+(\S+)|.)/;
const ARGUMENT = /^-- ARGV\[(\d+|…)\]\s+([a-z]+)([?…]?)\s+([a-z]\w*)/;

/** @throws Error that names file and line where the card is not as others are, or the code uses a place that it does not have */
export function readSignature(source: Source): Signature {
  const keys: Element[] = [];
  const args: Element[] = [];
  for (const [index, text] of source.text.split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Error(`${source.file}:${index + 1}: ${why}`);
    };
    if (!text.startsWith('--')) break;
    if (text.startsWith('-- KEYS')) add(keys, keyIn(text) ?? fail('this is no key of a card'), text, fail);
    if (text.startsWith('-- ARGV')) add(args, argumentIn(text) ?? fail('this is no argument of a card'), text, fail);
  }
  checkUses(source, 'KEYS', keys);
  checkUses(source, 'ARGV', args);
  return { keys, args, readsOnly: /^-- Replay {3}reads only/m.test(source.text) };
}

function add(elements: Element[], element: Element, text: string, fail: (why: string) => never): void {
  const place = /\[(.+?)\]/.exec(text)?.[1];
  if (elements.at(-1)?.label.startsWith('...')) fail('nothing can stand behind the last');
  if (place !== '…' && place !== String(elements.length + 1)) fail(`this is number ${elements.length + 1}`);
  elements.push(element);
}

function keyIn(text: string): Element | undefined {
  const [found, place, redisType, optional, name = ''] = KEY.exec(text) ?? [];
  if (found === undefined) return undefined;
  if (place === '…') return { label: '...declared', type: 'string[]', isOptional: false };
  if (redisType === undefined) return undefined;
  const kinds = name.split('|').map((form) => form.replace(/:<.*/, ''));
  const label = (kinds[0] ?? '').replace(/\W(\w)/g, (_, letter: string) => letter.toUpperCase());
  const type = `Key<${kinds.map((kind) => `'${kind}'`).join(' | ')}>`;
  return { label, type, isOptional: optional === '?' };
}

function argumentIn(text: string): Element | undefined {
  const [found, , type = '', how, name = ''] = ARGUMENT.exec(text) ?? [];
  const known = TYPES[type];
  if (found === undefined || known === undefined) return undefined;
  if (how === '…') return { label: `...${name}`, type: `${known}[]`, isOptional: false };
  return { label: name, type: known, isOptional: how === '?' };
}

/** Each `KEYS[n]` and `ARGV[n]` of the code is on the card. Behind the last of them only the code knows what stands where. */
function checkUses({ file, statements }: Source, table: 'KEYS' | 'ARGV', elements: Element[]): void {
  const named = elements.filter(({ label }) => !label.startsWith('...')).length;
  for (const { tokens } of statements) {
    for (const [at, { text, line }] of tokens.entries()) {
      if (text !== table || tokens[at + 1]?.text !== '[' || tokens[at + 3]?.text !== ']') continue;
      const place = tokens[at + 2] as Token;
      if (place.kind !== 'number') continue;
      if (Number(place.text) > named) throw new Error(`${file}:${line}: ${table}[${place.text}] is beyond the card`);
    }
  }
}

/** As a type: those that may be left out make several tuples. */
export function tupleOf(elements: Element[]): string {
  const required = elements.filter(({ isOptional }) => !isOptional).length;
  const lengths = elements.slice(required).map((_, index) => required + index + 1);
  const written = elements.map(({ label, type }) => `${label}: ${type}`);
  return [required, ...lengths].map((length) => `[${written.slice(0, length).join(', ')}]`).join(' | ');
}
