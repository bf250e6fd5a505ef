// Sluice below a path of an application: which requests are below it, and what they are then.
import { expect, test } from 'vitest';
import { moveFrom } from '../../src/adapters/mount.ts';

test.each([
  ['/sluice/v1/queues?limit=1', '/v1/queues?limit=1'],
  ['/sluice', '/'],
  ['/sluice/', '/'],
  ['/sluiced/v1/queues', '/sluiced/v1/queues'], // begins with the same letters, and is another path
  ['/health', '/health'],
])('below /sluice %s is %s', (path, moved) => {
  expect(moveFrom('/sluice', new Request(`https://x.example${path}`)).url).toBe(`https://x.example${moved}`);
});
