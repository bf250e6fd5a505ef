// All limits put on the isolate's globals, before the Worker's own code is loaded.
import { freezeClock, resumeWithAnswers } from './clock.ts';
import { queueConnections } from './connections.ts';
import type { Limits } from './limits.ts';
import { limitSubrequests } from './subrequests.ts';

export function impose({ subrequests = Number.POSITIVE_INFINITY, connections, clock }: Limits): void {
  let limited = fetch;
  if (connections !== undefined) limited = queueConnections(connections, limited);
  limited = limitSubrequests(subrequests, limited);
  if (clock === 'frozen') {
    freezeClock();
    limited = resumeWithAnswers(limited);
  }
  globalThis.fetch = limited;
}
