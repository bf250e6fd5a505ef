// Schedules in a run: each has one occurrence at a time, which makes one message, however often it is handed out.
import { expect } from 'vitest';
import type { Runner } from '../../src/redis/runner.ts';
import { type Change, openScheduleStore, type ScheduleStore } from '../../src/schedules/store.ts';
import type { StoredSchedule } from '../../src/store/due.ts';
import type { Bench } from '../support/bench.ts';

const headerOf = (record: string) => record.slice(0, Math.max(0, record.indexOf('\n')));

/** As due.lua reads it; an occurrence that was fired pauses its schedule. */
const headers = {
  active: (occurrence: number) => `${occurrence} active api r 0`,
  paused: (occurrence: number) => `0 paused api r ${occurrence}`,
};

export class Scheduler {
  readonly #bench: Bench;
  readonly #store: ScheduleStore;
  #ids = new Set<string>();
  #firings = 0;

  constructor(bench: Bench, runner: Runner) {
    this.#bench = bench;
    this.#store = openScheduleStore(bench.opened(runner, () => bench.now));
  }

  /** Those that wait for no occurrence get one. */
  async define(ids: string[], delayMs: number): Promise<void> {
    if (ids.length === 0) return;
    const due = this.#bench.now + delayMs;
    const { schedules } = await this.#store.recall(ids.map((id) => ({ id })));
    const waiting = schedules.filter(({ record }) => !headerOf(record).includes(' active '));
    const changes = waiting.map(({ id, record }) => change(id, headerOf(record), headers.active(due), due));
    if (changes.length > 0) await this.#change(changes, 'done');
    for (const { id } of changes) this.#ids.add(id);
  }

  /** Fires what was handed out, as two callers who were given the same. @returns the messages that came of it */
  async fire(schedules: StoredSchedule[]): Promise<{ id: string; json: string; delayMs: number }[]> {
    if (schedules.length === 0) return [];
    this.#firings += 1;
    const changes = schedules.map(({ id, record }) => {
      const header = headerOf(record);
      const occurrence = Number.parseInt(header, 10);
      const message = this.#bench.message('mail', `occurrence of ${id}, ${this.#firings}`);
      return { ...change(id, header, headers.paused(occurrence), undefined), messages: [message] };
    });
    await this.#change(changes, 'done');
    await this.#change(changes, 'changed');
    return this.#made(changes.map(({ messages: [message] }) => message?.json ?? ''));
  }

  async #made(bodies: string[]): Promise<{ id: string; json: string; delayMs: number }[]> {
    const { envelopes } = await this.#bench.shard();
    const made = Object.entries(envelopes).map(([id, envelope]) => [id, envelope.slice(envelope.indexOf('\n') + 1)]);
    return bodies.map((json) => {
      const [only, ...others] = made.filter(([, body]) => body === json);
      expect([only?.[1], others]).toEqual([json, []]);
      return { id: only?.[0] ?? '', json, delayMs: 0 };
    });
  }

  async remove(): Promise<void> {
    if (this.#ids.size === 0) return;
    const { schedules } = await this.#store.recall([...this.#ids].map((id) => ({ id })));
    await this.#change(
      schedules.map(({ id, record }) => change(id, headerOf(record), '', undefined)),
      'done',
    );
  }

  async #change(changes: Change[], status: string): Promise<void> {
    if (changes.length === 0) return;
    const { statuses } = await this.#store.change(changes);
    expect(statuses).toEqual(changes.map(() => status));
  }
}

const change = (id: string, expected: string, header: string, due: number | undefined): Change => {
  return { id, expected, header, error: '', lines: '\n\n', due, messages: [] };
};
