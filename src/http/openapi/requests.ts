/** What callers send, for the document: the schemas that validate, put together as a request carries them. */
import * as z from 'zod/mini';
import { QUEUE_NAME } from '../../message/message.ts';
import { MessageOptions } from '../../message/options.ts';
import { SCHEDULE_ID } from '../../schedules/definition.ts';
import { LEASE_NAME } from '../lease-name.ts';
import { Id } from '../v1/operate-schema.ts';
import { RingName } from '../v1/ring-schema.ts';

/** As the producer counts them: a test sends one more to the deployed bundle. */
const MAX_BATCH = 1_000;

const ScheduleId = z.string().check(z.regex(SCHEDULE_ID));
const QueueName = z.string().check(z.regex(QUEUE_NAME));

/** A message on its own: its options, and the body that the queue's own schema judges. */
export const NewMessage = z.extend(MessageOptions, { body: z.unknown() });

export const NewMessageOfBatch = z.extend(MessageOptions, { queue: QueueName, body: z.unknown() });

export const Batch = z.strictObject({
  messages: z.array(NewMessageOfBatch).check(z.minLength(1), z.maxLength(MAX_BATCH)),
});

/** What stands in paths. */
export const PATH_PARAMETERS = {
  queue: { schema: QueueName, description: 'A queue of this deployment.' },
  ring: { schema: RingName, description: 'A ring. It is there as long as it has items.' },
  topic: {
    schema: QueueName,
    description:
      'A topic: a name like that of a queue. A token for some queues is for the topics that its patterns fit.',
  },
  subscription: { schema: QueueName, description: 'A name of your choice, within the topic.' },
  schedule: { schema: ScheduleId, description: 'A schedule, by its id.' },
  id: { schema: Id, description: "A message's id, as its receipt names it." },
  source: { schema: QueueName, description: 'A source of this deployment.' },
  lease: {
    schema: z.string().check(z.regex(LEASE_NAME)),
    description: "A lease's name, as receive answered it. Whoever has it, and a token for its queues, may settle.",
  },
};
