/** Operating schedules: what callers of the API ask of them. A change is made to what was read, or read again. */

import { queuesNamed } from '../broker/producer.ts';
import { type MessageInput, validate } from '../broker/validate.ts';
import { InvalidMessage, StorageError } from '../errors.ts';
import { type Definitions, ID_HEADER } from './fire.ts';
import { type CatchUp, compileTiming } from './occurrences.ts';
import {
  type Header,
  type Origin,
  readable,
  readHeaderLine,
  type ScheduleRecord,
  writeDefinition,
  writeHeader,
} from './record.ts';
import { planRewrite } from './rewrite.ts';
import type { Definition } from './schedule.ts';
import type { Change, ScheduleStore } from './store.ts';

export interface ScheduleReport {
  id: string;
  state: 'active' | 'paused';
  origin: Origin;
  cron?: string;
  tz?: string;
  everyMs?: number;
  queue: string;
  catchUp: CatchUp;
  /** The next occurrences, epoch ms; none while paused. */
  next: number[];
  /** The last occurrence fired, epoch ms. */
  lastAt?: number;
  /** What was wrong with the last occurrence: fields and codes. */
  lastError?: string;
  /** Body and options; not in a list. */
  message?: { body: unknown } & Record<string, unknown>;
}

/** Why nothing was done: there is none, it belongs to the code, there are too many. */
export type ScheduleRefusal = 'unknown' | 'code' | 'full';

/** Throws where the caller may not touch this queue. */
export type RequireQueue = (queue: string) => void;

export interface Schedules {
  /** Of one page those that are permitted. @throws StorageError */
  list(
    isPermitted: (queue: string) => boolean,
    limit: number,
    cursor: string,
  ): Promise<{ schedules: ScheduleReport[]; cursor?: string }>;
  /** @throws StorageError */
  get(id: string, permit: RequireQueue): Promise<ScheduleReport | 'unknown'>;
  /** @throws StorageError; InvalidMessage where its queue would not take its message */
  put(id: string, definition: Definition, permit: RequireQueue): Promise<ScheduleReport | 'code' | 'full'>;
  /** @throws StorageError */
  remove(id: string, permit: RequireQueue): Promise<'removed' | 'unknown' | 'code'>;
  /** Its occurrences pass unfired, the one that has come and is not fired yet too. @throws StorageError */
  pause(id: string, permit: RequireQueue): Promise<ScheduleReport | 'unknown'>;
  /** The next occurrence is the next from now. @throws StorageError */
  resume(id: string, permit: RequireQueue): Promise<ScheduleReport | 'unknown'>;
  /** Its message, now: the next occurrence stays. @throws StorageError */
  input(id: string, permit: RequireQueue): Promise<MessageInput | 'unknown'>;
}

/** How often a change is tried where others change the same schedule meanwhile. */
const TRIES = 5;
/** What only those may touch who may touch all queues; no queue has this name. */
const ANY_QUEUE = '';
/** Occurrences foretold in a report. */
const FORETOLD = 3;

export function openSchedules(store: ScheduleStore, known: Definitions): Schedules {
  const permitted = async (id: string, permit: RequireQueue) => {
    const { record } = await read(store, id);
    if (record) permitAll(record, permit);
    return record;
  };
  const setState = async (id: string, permit: RequireQueue, state: Header['state']) => {
    const changed = await change(store, id, permit, ({ record, now, expected }) => {
      if (!record || record.state === state) return undefined;
      const due = state === 'paused' ? undefined : compileTiming(record.timing)(now);
      const header = writeHeader({ ...record, state, due: due ?? 0 });
      return { id, expected, header, error: record.error, lines: '', due, messages: [] };
    });
    return changed.record ? describeSchedule(id, changed.record) : 'unknown';
  };
  return {
    async list(isPermitted, limit, cursor) {
      const page = await store.page(cursor, limit);
      const schedules = page.schedules.flatMap(({ id, record }) => {
        const read = readable(record);
        return read && isPermitted(read.queue) ? [describeSchedule(id, read)] : [];
      });
      return { schedules, ...(page.cursor === '0' ? {} : { cursor: page.cursor }) };
    },
    async get(id, permit) {
      const record = await permitted(id, permit);
      return record ? describeSchedule(id, record) : 'unknown';
    },
    async put(id, definition, permit) {
      permitAll(definition, permit);
      if (known.ids.has(id)) return 'code';
      await checkMessage(definition, known);
      const written = { id, next: compileTiming(definition.timing), ...(await writeDefinition(definition, 'api')) };
      const { record, full } = await change(store, id, permit, ({ record: existing, expected, now }) =>
        existing?.revision === written.revision ? undefined : planRewrite(written, existing, expected, now),
      );
      return full || !record ? 'full' : describeSchedule(id, record);
    },
    async remove(id, permit) {
      if (known.ids.has(id)) {
        await permitted(id, permit);
        return 'code';
      }
      const { tried } = await change(store, id, permit, ({ expected }) =>
        expected === '' ? undefined : { id, expected, header: '', error: '', lines: '', due: undefined, messages: [] },
      );
      return tried ? 'removed' : 'unknown';
    },
    pause: (id, permit) => setState(id, permit, 'paused'),
    resume: (id, permit) => setState(id, permit, 'active'),
    async input(id, permit) {
      const record = await permitted(id, permit);
      return record ? makeInput(id, record, known) : 'unknown';
    },
  };
}

interface ReadSchedule {
  /** The server's time. */
  now: number;
  /** The header; '' where there is none. */
  expected: string;
  stored: string;
  /** undefined where there is none, or none that can be read. */
  record: ScheduleRecord | undefined;
}

async function read(store: ScheduleStore, id: string): Promise<ReadSchedule> {
  const { now, schedules } = await store.recall([{ id }]);
  const stored = schedules[0]?.record ?? '';
  return { now, expected: readHeaderLine(stored), stored, record: readable(stored) };
}

/**
 * Reads, decides, writes what is decided if nobody was faster; otherwise again. A change whose answer was lost is found
 * done when it is read again.
 * @returns the schedule as it is then, and whether a change was tried at all
 */
async function change(
  store: ScheduleStore,
  id: string,
  permit: RequireQueue,
  decide: (read: ReadSchedule) => Change | undefined,
): Promise<{ record: ScheduleRecord | undefined; tried: boolean; full: boolean }> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await read(store, id);
    if (found.record) permitAll(found.record, permit);
    else if (found.stored !== '') permit(ANY_QUEUE); // whose it was cannot be read
    const decided = decide(found);
    if (!decided) return { record: found.record, tried: tries > 0, full: false };
    const { statuses } = await store.change([decided]);
    const lines = decided.lines || found.stored.split('\n').slice(2).join('\n');
    const record = readable([decided.header, decided.error, lines].join('\n'));
    if (statuses[0] !== 'changed') return { record, tried: true, full: statuses[0] === 'full' };
  }
  throw new StorageError('garbled', 'the schedule changes all the time');
}

/** Of its messages and of those that follow on them. */
function permitAll({ queue, message }: Pick<ScheduleRecord, 'queue' | 'message'>, permit: RequireQueue): void {
  for (const name of [queue, ...queuesNamed(message?.options)]) permit(name);
}

function makeInput(id: string, { queue, message }: ScheduleRecord, { queues }: Definitions): MessageInput {
  const { body, options } = message ?? { body: undefined, options: {} };
  const headers = { ...(options.headers as object), [ID_HEADER]: id };
  return { queue: queues.get(queue), body, options: { ...options, headers }, path: '' };
}

/** @throws InvalidMessage where its queue is none of this deployment's, or would refuse its messages */
async function checkMessage({ queue, message }: Definition, { queues }: Definitions): Promise<void> {
  const made = await validate({ queue: queues.get(queue), ...message, path: '' }, queues);
  if ('issues' in made) throw new InvalidMessage(made.issues);
}

function describeSchedule(id: string, record: ScheduleRecord): ScheduleReport {
  const { state, origin, timing, queue, catchUp, lastAt, error, message } = record;
  return {
    id,
    state,
    origin,
    ...timing,
    queue,
    catchUp,
    next: foretold(record),
    ...(lastAt > 0 ? { lastAt } : {}),
    ...(error === '' ? {} : { lastError: error }),
    ...(message ? { message: { body: message.body, ...message.options } } : {}),
  };
}

function foretold({ timing, due }: ScheduleRecord): number[] {
  if (due === 0) return [];
  const next = compileTiming(timing);
  const occurrences = [due];
  while (occurrences.length < FORETOLD) occurrences.push(next(occurrences.at(-1) as number));
  return occurrences;
}
