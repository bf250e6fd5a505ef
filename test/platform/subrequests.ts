// The limit of subrequests, in the Worker's isolate: the first fetch above it throws, and so does each after that.
import { currentInvocation } from './invocation.ts';

export function limitSubrequests(most: number, next: typeof fetch): typeof fetch {
  return async (input, init) => {
    const invocation = currentInvocation();
    invocation.subrequests += 1;
    if (invocation.subrequests <= most) return next(input, init);
    invocation.refused += 1;
    throw new Error('Too many subrequests.'); // the platform's words
  };
}
