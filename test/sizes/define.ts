// All of the entry for definitions, and one: what shared code has. The schema is by hand: any zod that is bundled is Sluice's.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineQueue, exponential } from 'sluice/define';

export * from 'sluice/define';

const Mail: StandardSchemaV1<{ to: string }> = {
  '~standard': { version: 1, vendor: 'by hand', validate: (value) => ({ value: value as { to: string } }) },
};

export const mail = defineQueue('mail', {
  schema: Mail,
  backoff: exponential({ base: '1s', max: '1h' }),
  kind: 'push',
});
