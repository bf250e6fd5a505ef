// A page of a deep audit: of many messages of one lane its ends are read once, and not looked through for each of them.
import { expect, test } from 'vitest';
import { audit } from '../../src/store/audit.ts';
import { onEachRedis } from '../support/bench.ts';

onEachRedis('a page of a deep audit', (bench) => {
  test('of many messages of one lane reads its ends once, and does not look through them for each', async () => {
    const b = bench();
    await b.enqueue(...Array.from({ length: 300 }, (_, i) => b.message('mail', i)));
    const { commands } = await b.cost(async () => {
      expect((await audit(b.store, '0', false, true)).findings).toEqual([]);
    });
    expect(commands).toBeLessThan(300 * 5.5); // six where each was looked for in both ends of the lane
  });
});
