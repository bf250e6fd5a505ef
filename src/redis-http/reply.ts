/** What Redis answered, in the shapes of RESP2 and nothing else. Types only. */

/** A command's arguments, its name first. Binary ones are Buffers. */
export type Argument = string | Buffer;

/**
 * A string arrives as a Buffer and an integer as its digits: a JavaScript
 * number would lose those above 2^53 before anyone could look at it. On a
 * cluster it is a number all the same, see cluster.ts.
 */
export type Value = Buffer | string | number | null | Error | Value[];

export type Reply = { result: Value } | { error: string };
