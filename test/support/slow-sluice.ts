// The project that `sluice worker` works on in tests: each message takes 400 ms, or for ever, and says when it begins and ends.
import { setTimeout } from 'node:timers/promises';
import { createSluice, defineQueue } from 'sluice';
import { api } from 'sluice/functions';

export const TAKES_MS = 400;

export const jobs = defineQueue('jobs', {
  async handler({ body }) {
    console.log('begun');
    if (body === 'for ever') await new Promise(() => {});
    await setTimeout(TAKES_MS);
    console.log('ended');
  },
});

export default createSluice({ queues: [jobs], functions: api });
