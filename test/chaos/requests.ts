/**
 * Requests: which messages producers began to enqueue, what they were told, and which ids came of it.
 *
 * Pure. It joins the producers' view, keys, with the store's, ids.
 */

/** What a producer knows of a message in the end. */
export type Knowledge = 'ok' | 'failed' | 'unknown';

export interface Requests {
  begun(request: number, keys: string[]): void;
  answered(request: number, knowledge: Knowledge, ids?: string[]): void;
  /** A message of this key exists under this id. */
  met(id: string, key: string): void;
  /** undefined: nobody began to enqueue it. */
  knowledgeOf(key: string): Knowledge | undefined;
  keyOf(id: string): string | undefined;
  /** Ids that producers were told. */
  acknowledged(): Iterable<string>;
  begunCount(): number;
}

/** @param twice is told of each message that exists under a second id */
export function followRequests(twice: (id: string) => void): Requests {
  const keysOf = new Map<number, string[]>();
  const knowledge = new Map<string, Knowledge>();
  const acknowledged = new Set<string>();
  const keys = new Map<string, string>();
  const ids = new Map<string, string>();
  const told = new Set<string>();

  function met(id: string, key: string): void {
    if (!keys.has(id)) keys.set(id, key);
    const known = ids.get(key);
    if (known === undefined) ids.set(key, id);
    if (known === undefined || known === id || keys.get(id) !== key || told.has(id)) return;
    told.add(id);
    twice(id);
  }

  return {
    begun(request, begunKeys) {
      keysOf.set(request, begunKeys);
      for (const key of begunKeys) knowledge.set(key, 'unknown');
    },
    answered(request, known, answeredIds = []) {
      for (const [i, key] of (keysOf.get(request) ?? []).entries()) {
        knowledge.set(key, known);
        const id = answeredIds[i];
        if (id === undefined) continue;
        acknowledged.add(id);
        met(id, key);
      }
    },
    met,
    knowledgeOf: (key) => knowledge.get(key),
    keyOf: (id) => keys.get(id),
    acknowledged: () => acknowledged,
    begunCount: () => knowledge.size,
  };
}
