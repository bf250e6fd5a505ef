// What a deployment does not pass is not in its bundle: by what is left of each source file.
import { describe, expect, test } from 'vitest';
import { measure, type Size } from '../scripts/sizes/measure.ts';

const built = (name: string) => measure({ entry: `test/sizes/${name}.ts` });
const foldersOf = ({ sources }: Size) => [
  ...new Set(Object.keys(sources).map((source) => source.replace(/\/[^/]*$/, ''))),
];

describe('a bundle', () => {
  test('of definitions has neither schemas nor a way to storage', async () => {
    expect(foldersOf(await built('define')).toSorted()).toEqual([
      'src',
      'src/formats',
      'src/message',
      'src/queue',
      'test/sizes',
    ]);
  });

  test('of the client has nothing of a Worker', async () => {
    expect(foldersOf(await built('client')).toSorted()).toEqual(['src', 'src/client', 'src/formats', 'test/sizes']);
  });

  test.each(['core', 'core-schedules', 'core-topics', 'core-rings', 'core-webhooks'])(
    'of %s has no text of the document',
    async (name) => {
      const { sources } = await built(name);
      expect(Object.keys(sources).filter((source) => /openapi|\.doc\.ts$|prometheus/.test(source))).toEqual([]);
    },
  );

  test('sends deliveries by the fetch of Workers, and has nothing of how other runtimes guard them', async () => {
    const { sources, text } = await built('v1');
    const sending = Object.keys(sources).filter((source) => /^src\/delivery\/(?:send|guard)/.test(source));
    expect(sending.toSorted()).toEqual(['src/delivery/send-on-workers.ts', 'src/delivery/send.ts']);
    expect(text).not.toContain('node:');
  });

  test('of core has nothing of what operators ask', async () => {
    const names = ['broker/admin', 'broker/audit', 'broker/inspector', 'engine/admin', 'store/admin'];
    const asked = names.map((name) => `src/${name}.ts`);
    const sourcesOf = async (name: string) => Object.keys((await built(name)).sources);
    expect(await sourcesOf('v1')).toEqual(expect.arrayContaining(asked));
    expect((await sourcesOf('core')).filter((source) => asked.includes(source))).toEqual([]);
  });

  test('has the features that it is given', async () => {
    const features = ['schedules', 'topics', 'rings', 'webhooks'];
    for (const given of [undefined, ...features]) {
      const folders = foldersOf(await built(given ? `core-${given}` : 'core'));
      expect(features.filter((feature) => folders.includes(`src/${feature}`))).toEqual(given ? [given] : []);
      expect(folders.some((folder) => folder.includes('node_modules/croner'))).toBe(given === 'schedules');
    }
  });

  test('with one provider has no other', async () => {
    const { text } = await built('core-webhooks');
    expect(text).toContain('x-hub-signature-256');
    for (const other of ['stripe-signature', 'x-slack-signature', 'x-twilio-signature', 'bodySHA256'])
      expect(text).not.toContain(other);
  });
});
