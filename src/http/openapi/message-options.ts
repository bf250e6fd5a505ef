/** What the document says of the options of messages, wherever a request has them. */
import * as z from 'zod/mini';
import { YEAR_MS } from '../../formats/duration.ts';
import { DestinationFields } from '../../message/destination.ts';
import { OPTION_DOCS, type OptionDoc } from '../../message/options.doc.ts';
import { MessageOptions } from '../../message/options.ts';
import { describe, describeFields, duration, type Note, nameSchemas } from './describe.ts';

const Dedup = MessageOptions.shape.dedup.def.innerType;

const { dedup: ofDedup, ...ofOthers } = OPTION_DOCS;

const INSTANT = {
  oneOf: [
    { type: 'integer', minimum: 0, description: 'Epoch ms.' },
    { type: 'string', format: 'date-time', description: 'ISO 8601 with a time zone.' },
  ],
};

const HEADERS = {
  type: 'object',
  propertyNames: { type: 'string', minLength: 1, maxLength: 128 },
  additionalProperties: { type: 'string', maxLength: 4_096 },
};

/** What a refinement hides of those that their flags read; the least duration that an option takes, its schema says. */
function formsOf(shape: z.core.$ZodShape, docs: Record<string, OptionDoc>): Record<string, Note> {
  const forms: Record<string, Note> = {};
  for (const [name, { flag }] of Object.entries(docs)) {
    if (flag.reader === 'instant') forms[name] = { form: INSTANT };
    if (flag.reader === 'pairs') forms[name] = { form: HEADERS };
    if (flag.reader !== 'duration') continue;
    const isZeroFine = z.safeParse(shape[name] as z.core.$ZodType, 0).success;
    forms[name] = { form: duration(isZeroFine ? 0 : 1, YEAR_MS) };
  }
  return forms;
}

function meaningsOf<Docs extends object>(
  docs: Docs & Record<keyof Docs, { meaning: string }>,
): Record<keyof Docs, string> {
  const entries = Object.entries<{ meaning: string }>(docs).map(([name, { meaning }]) => [name, meaning]);
  return Object.fromEntries(entries) as Record<keyof Docs, string>;
}

nameSchemas({ Dedup, Destination: DestinationFields });
describeFields(MessageOptions, MessageOptions.shape, formsOf(MessageOptions.shape, ofOthers));
describeFields(Dedup, Dedup.shape, formsOf(Dedup.shape, ofDedup.fields));
describe(Dedup, meaningsOf(ofDedup.fields));
describe(DestinationFields, {
  url: 'https and public, unless the deployment says otherwise.',
  method: 'Default: POST.',
  headers: {
    means:
      'Sent over those that the queue has for this origin. Connection, forwarding, client-address, method-override, cookie and webhook headers are refused.',
    form: HEADERS,
  },
  timeout: {
    means: "No answer within it is a failure. At most the queue's, which is the default.",
    form: duration(1, YEAR_MS),
  },
  secret: "Which of the queue's named secrets sign.",
});
/** What each means: of all that a request with options has. */
export const OPTIONS = meaningsOf(OPTION_DOCS);
export const BODY = "Any JSON; checked by the queue's schema.";
