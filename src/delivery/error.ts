/** Why a delivery over HTTP failed: what that means for the message, and what it says of where it went. */

/** Undefined where only this message is wrong. */
export type EndpointState = 'up' | 'down' | undefined;

export interface DeliveryEnd {
  /** Whether the message comes again. */
  outcome: 'retry' | 'dead';
  endpoint: EndpointState;
  /** Until it comes again, where the endpoint has asked for that. */
  delayMs?: number | undefined;
  /** The endpoint wants no more messages at all, in the words in which it said so. */
  disables?: string | undefined;
}

/** The text is kept with the message and holds the beginning of the answer: never for a log. */
export class DeliveryError extends Error {
  override readonly name = 'Undelivered';
  readonly end: DeliveryEnd;

  constructor(text: string, end: DeliveryEnd) {
    super(text);
    this.end = end;
  }
}
