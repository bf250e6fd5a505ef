// Definitions alone, as a program has them that only names its queues. The schema is by hand: any zod that is bundled is Sluice's.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineQueue, exponential } from 'sluice';

const Mail: StandardSchemaV1<{ to: string }> = {
  '~standard': { version: 1, vendor: 'by hand', validate: (value) => ({ value: value as { to: string } }) },
};

export const mail = defineQueue('mail', {
  schema: Mail,
  backoff: exponential({ base: '1s', max: '1h' }),
  kind: 'push',
});
