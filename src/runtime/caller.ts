/** Who asks something of the engine: a request, a tick, or code of the Worker. */
import type { Invocation } from './invocation.ts';
import type { FetchContext } from './wait-until.ts';

export interface Caller {
  /** Its requests are counted there, and its drains share what they leave. */
  invocation: Invocation;
  /** What keeps work alive behind its answer. Without one it wakes no drain, which would end with it: others do. */
  context?: FetchContext | undefined;
  /** It is code of the Worker: it may go on to enqueue, and drains leave it some requests for that. */
  isCode?: boolean;
}

/** Whether a drain can be woken behind its answer. */
export const canWake = ({ context }: Caller): boolean => context !== undefined && context.wakes !== false;
