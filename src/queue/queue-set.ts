/** Sets of queues: what a caller who names queues by text may say, by the types of their definitions. Types only. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { QueueKind } from './contract.ts';

/** As much of a definition as a caller needs. At run time that is its name. */
export interface QueueDefinition<Input = unknown> {
  readonly name: string;
  readonly kind: QueueKind;
  // biome-ignore lint/suspicious/noExplicitAny: what the handler gets is no concern of those who send and receive JSON
  readonly schema: StandardSchemaV1<Input, any> | undefined;
}

/**
 * The queues of a deployment, as a list or as a record under any keys: `typeof queues`, or `typeof contracts` of a module that exports
 * nothing else.
 */
export type QueueSet = readonly QueueDefinition[] | Readonly<Record<string, QueueDefinition>>;

type MemberOf<Queues extends QueueSet> = Queues extends readonly (infer Each)[] ? Each : Queues[keyof Queues];

/** The names of a set; any text where they are not known as literals. */
export type QueueName<Queues extends QueueSet> = Extract<MemberOf<Queues>, QueueDefinition>['name'];

/** The names of its pull queues. */
export type PullName<Queues extends QueueSet> = Extract<PullOnly<MemberOf<Queues>>, QueueDefinition>['name'];

type PullOnly<Each> = Each extends { readonly kind: infer Kind } ? ('pull' extends Kind ? Each : never) : never;

/**
 * The body that a queue takes, as its schema takes it in: of a definition, or of a name in the set. `unknown` where there is no schema, or
 * the set does not tell.
 */
export type BodyOf<Ref, Queues extends QueueSet = QueueSet> = Ref extends string
  ? InputOf<Named<MemberOf<Queues>, Ref>>
  : InputOf<Ref>;

type InputOf<Definition> = Definition extends QueueDefinition<infer Input> ? Input : never;

/** The definition with this name; where there is none, those whose names are not known as literals. */
type Named<Each, Name extends string> = [Extract<Each, { readonly name: Name }>] extends [never]
  ? Each
  : Extract<Each, { readonly name: Name }>;
