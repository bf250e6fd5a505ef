/**
 * Counting: what became of each source's requests. Gathered in the isolate and written behind an answer, once in a while, so
 * that a flood of forged requests is no flood of Redis commands. An isolate that ends takes a few seconds of counts along.
 */
import { logError, nameOfError } from '../log.ts';
import { sleep } from '../runtime/sleep.ts';
import type { SourceCounters } from './counters-store.ts';
import type { IngestStatus } from './ingest.ts';
import { REASONS, type Reason } from './rejected.ts';
import { readSettings } from './settings.ts';
import type { AnySource } from './source.ts';

export interface SourceReport {
  source: string;
  provider: string;
  /** Where all of it goes; left out where a function decides. */
  queue?: string;
  /** It takes events: its secret is set, and its scheme can use it. */
  open: boolean;
  /** Why it is closed. */
  reason?: string;
  accepted: number;
  duplicates: number;
  /** Verified events that the route wants nowhere. */
  ignored: number;
  handshakes: number;
  /** By reason, those that there were. */
  rejected: Partial<Record<Reason, number>>;
}

export interface Sources {
  get(name: string): AnySource | undefined;
  /**
   * @param wait keeps the writing alive after the answer
   * @param mostMs that the writing may wait for more to count
   */
  count(source: AnySource, what: IngestStatus | Reason, wait: (writing: Promise<void>) => void, mostMs?: number): void;
  /** Of all isolates, as of a few seconds ago; of this one, as of now. @throws StorageError */
  report(): Promise<SourceReport[]>;
}

/** One command in this time, and from each isolate. */
const EVERY_MS = 3_000;

export function openSources(sources: ReadonlyMap<string, AnySource>, counters: SourceCounters, env: object): Sources {
  let pending = new Map<string, number>();
  let nextAt = 0;

  const add = (field: string, count: number) => pending.set(field, (pending.get(field) ?? 0) + count);

  async function write(): Promise<void> {
    const counts = pending;
    if (counts.size === 0) return;
    pending = new Map();
    try {
      await counters.add(counts);
    } catch (error) {
      for (const [field, count] of counts) add(field, count);
      throw error;
    }
  }

  async function writeLater(mostMs: number): Promise<void> {
    await sleep(Math.min(EVERY_MS, mostMs));
    await write().catch((error: unknown) => logError('the counts of sources wait', { error: nameOfError(error) }));
  }

  return {
    get: (name) => sources.get(name),
    count({ name }, what, wait, mostMs = EVERY_MS) {
      add(`${name} ${what}`, 1);
      if (Date.now() < nextAt) return;
      nextAt = Date.now() + EVERY_MS;
      wait(writeLater(mostMs));
    },
    async report() {
      if (sources.size === 0) return [];
      await write();
      const counts = await counters.read();
      return [...sources.values()].map((source) =>
        describeSource(source, env, (what) => counts.get(`${source.name} ${what}`) ?? 0),
      );
    },
  };
}

function describeSource(source: AnySource, env: object, count: (what: IngestStatus | Reason) => number): SourceReport {
  const { name, provider, route } = source;
  const { closed } = readSettings(source, env, Date.now());
  const rejected = REASONS.map((reason) => [reason, count(reason)] as const).filter(([, times]) => times > 0);
  return {
    source: name,
    provider,
    ...(typeof route === 'function' ? {} : { queue: route.name }),
    open: closed === undefined,
    ...(closed === undefined ? {} : { reason: closed }),
    accepted: count('accepted'),
    duplicates: count('duplicates'),
    ignored: count('ignored'),
    handshakes: count('handshakes'),
    rejected: Object.fromEntries(rejected),
  };
}
