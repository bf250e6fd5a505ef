// docs/patterns.md: each pattern has an example, and each example, run as it stands against the deployed bundle, gives what it says.
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { deploy } from './support/worker.ts';

const DOCUMENT = await readFile('docs/patterns.md', 'utf8');
const HOST = 'http://127.0.0.1:8787'; // where `npm run dev` serves, and so what the document says
const CODE = /^```js\n(.*?)^```$/gms;

const [introduction = '', ...sections] = DOCUMENT.split(/^## /m);
const prologue = [...introduction.matchAll(CODE)].map(([, code]) => code).join('');
const examples = sections.flatMap((section) => {
  const title = section.slice(0, section.indexOf('\n'));
  return [...section.matchAll(CODE)].map(([, code = ''], i) => ({ title: `${title}, example ${i + 1}`, code }));
});

/** `expression; // → value` as a comparison of the two. */
const checked = (code: string) =>
  code.replace(/^(.+); \/\/ → (.+)$/gm, (_, expression, value) => `compare(${expression}, ${value});`);

const AsyncFunction = (async () => {}).constructor as new (
  ...parametersAndBody: string[]
) => (compare: (is: unknown, says: unknown) => void, process: { env: { TOKEN: string } }) => Promise<void>;

const run = (code: string) => new AsyncFunction('compare', 'process', code);

describe('the document', () => {
  test('has an example for each of its patterns, and each says what comes out', () => {
    expect(sections.length).toBe(7);
    expect(prologue).toContain(HOST);
    for (const section of sections) expect(section).toMatch(CODE);
    for (const { title, code } of examples)
      expect([title, checked(code)]).toEqual([title, expect.stringContaining('compare(')]);
  });

  test('links to its own headings', () => {
    const anchors = sections.map((section) => section.slice(0, section.indexOf('\n')).toLowerCase());
    const slugs = anchors.map((title) => title.replace(/[^\w -]/g, '').replaceAll(' ', '-'));
    expect([...introduction.matchAll(/\(#([^)]+)\)/g)].map(([, slug]) => slug)).toEqual(slugs);
  });

  test('a value that is not what an example says fails it', async () => {
    const wrong = run(checked('const a = 1;\na + 1; // → 3'));
    const faults: unknown[] = [];
    await wrong((is, says) => void (is === says || faults.push([is, says])), { env: { TOKEN: '' } });
    expect(faults).toEqual([[2, 3]]);
  });
});

describe('on the deployed bundle', () => {
  const deployed = deploy();

  test.each(examples)('$title', async ({ code }) => {
    const { worker, stack } = deployed();
    const script = (prologue + checked(code)).replaceAll(HOST, worker.url);
    await run(script)((is, says) => expect(is).toEqual(says), { env: { TOKEN: stack.token } });
  });
});
