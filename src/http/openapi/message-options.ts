/** What the document says of the options of messages, wherever a request has them. */
import { YEAR_MS } from '../../formats/duration.ts';
import { DestinationFields } from '../../message/destination.ts';
import { MessageOptions } from '../../message/options.ts';
import { describe, duration, nameSchemas } from './describe.ts';

const Dedup = MessageOptions.shape.dedup.def.innerType;

nameSchemas({ Dedup, Destination: DestinationFields });
describe(Dedup, {
  key: 'Known within the queue.',
  window: {
    means: "How long the key is known after its first message. Default: the queue's, or 5 minutes.",
    form: duration(1, YEAR_MS),
  },
  mode: "`drop`: the new message is dropped. `replace`: the first gets its body while it waits; one that is at work is left, and the new one counts. Default: the queue's, or `drop`.",
  release: "The key goes when its message is acked or dead, not only after the window. Default: the queue's, or false.",
});
describe(DestinationFields, {
  url: 'https and public, unless the deployment says otherwise.',
  method: 'Default: POST.',
  headers:
    'Sent over those that the queue has for this origin. Connection, forwarding, client-address, method-override, cookie and webhook headers are refused.',
  timeout: {
    means: "No answer within it is a failure. At most the queue's, which is the default.",
    form: duration(1, YEAR_MS),
  },
  secret: "Which of the queue's named secrets sign.",
});
describe(MessageOptions, {
  delay: { form: duration(0, YEAR_MS) },
  ttl: { form: duration(1, YEAR_MS) },
  retention: { form: duration(0, YEAR_MS) },
  notBefore: {
    form: {
      oneOf: [
        { type: 'integer', minimum: 0, description: 'Epoch ms.' },
        { type: 'string', format: 'date-time', description: 'ISO 8601 with a time zone.' },
      ],
    },
  },
});

export const OPTIONS = {
  priority: "0 first. Default: the queue's.",
  delay: 'Wait before the first delivery.',
  notBefore: "No delivery before this instant, by the server's clock; at most a year from now.",
  ttl: 'Delivered for the first time within this time after it became due, or a dead letter.',
  group: 'A tenant, a customer, an entity: groups of one priority take turns.',
  maxAttempts: "Deliveries after which it becomes a dead letter. Default: the queue's.",
  retention:
    "How long the outcome and the result are kept, to be asked for. Default: the queue's, which is not at all.",
  dedup: 'The same key within the window is the same message.',
  headers: 'Texts for whoever handles the message. Those that HTTP may have go to its destination.',
};
export const DESTINATION = 'Where it is delivered, for queues whose messages name that: a URL, or more than that.';
export const BODY = "Any JSON; checked by the queue's schema.";
