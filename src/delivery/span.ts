/** A span: one piece of work that is under way, for whoever follows it. What becomes of it is telemetry's business. */
export interface OpenSpan {
  /** For whoever does a part of it. */
  traceparent: string;
  /** @param errorType how it failed; left out where it did not */
  end(errorType?: string, attributes?: Record<string, string | number>): void;
}
