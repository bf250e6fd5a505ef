/** How callers name a queue: by its definition, which types its bodies, or by its name alone. */
import type { StandardSchemaV1 } from '@standard-schema/spec';

/** As much of a definition as a client needs: the name, and at compile time the schema. */
interface QueueDefinition<Input> {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the handler gets is no concern of those who send and receive JSON
  readonly schema: StandardSchemaV1<Input, any> | undefined;
}

/** What `defineQueue` returns, or a queue's name. Of a definition only the name is used at run time. */
// biome-ignore lint/suspicious/noExplicitAny: any queue, whatever its bodies
export type QueueRef = string | QueueDefinition<any>;

/** The body that a queue takes: as its schema takes it in, and `unknown` where only the name is known. */
export type BodyOf<Ref extends QueueRef> = Ref extends QueueDefinition<infer Input> ? Input : unknown;

export function queueName(queue: QueueRef): string {
  return typeof queue === 'string' ? queue : queue.name;
}
