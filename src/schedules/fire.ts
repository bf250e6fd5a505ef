/**
 * Firing: what is done to schedules that somebody met when their occurrence had come.
 *
 * Nothing here may stop the next occurrence: what is wrong with one is kept with its schedule and told to the log. Whoever dies
 * on the way leaves the schedule to the next who looks, some seconds later.
 */
import { type MessageInput, type Queues, validate } from '../broker/validate.ts';
import { StorageError } from '../errors.ts';
import { logError } from '../log.ts';
import type { PreparedMessage } from '../message/envelope.ts';
import { joinJson } from '../message/json.ts';
import type { StoredSchedule } from '../store/due.ts';
import { compileTiming, selectDue } from './occurrences.ts';
import { readHeaderLine, readRecord, type ScheduleRecord, writeHeader } from './record.ts';
import type { Change, ScheduleStore } from './store.ts';

/** What this deployment knows. */
export interface Definitions {
  queues: Queues;
  /** Ids of the schedules in its code. */
  ids: ReadonlySet<string>;
  /** What the shard of a schedule stores for a message: itself, or a parcel. Left out where there is one shard. */
  place?: ((message: PreparedMessage, occurrence: string) => PreparedMessage) | undefined;
}

/** While a deployment rolls out, two versions run: what one does not know is left to the other for so long. */
const ROLLING_MS = 15 * 60_000;

/** Of one schedule in one request: a second apart, these are all that are on time. The rest is due again at once. */
const MOST_OCCURRENCES = 250;
/** Characters of JSON that the messages of one schedule take in one request, and those of all: 3 bytes each at worst. */
const SCHEDULE_LENGTH = 512 * 1024;
const REQUEST_LENGTH = 1024 * 1024;

/** Headers of each message: its schedule's id, and the occurrence in epoch ms. */
export const ID_HEADER = 'sluice-schedule';
const OCCURRENCE_HEADER = 'sluice-occurrence';

/**
 * Fires those that are due. Another may have done so: then nothing happens.
 * @param now the server's time
 * @param wakes the caller would start a drain
 * @returns whether it should
 */
export async function fireSchedules(
  store: ScheduleStore,
  known: Definitions,
  due: StoredSchedule[],
  now: number,
  wakes = false,
): Promise<boolean> {
  let wake = false;
  let changes: Change[] = [];
  let length = 0;
  const send = async () => {
    if (changes.length > 0) wake = (await store.change(changes, wakes)).wake || wake;
    changes = [];
    length = 0;
  };
  try {
    for (const stored of due) {
      const change = await planChange(stored, known, now);
      if (!change) continue;
      const size = joinJson(change.messages).length;
      if (length + size > REQUEST_LENGTH) await send();
      changes.push(change);
      length += size;
    }
    await send();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    logError(`schedules: ${error.message}`);
    wake = wakes; // it may have been stored
  }
  return wake;
}

/** @returns undefined where it is left to another version */
async function planChange(stored: StoredSchedule, known: Definitions, now: number): Promise<Change | undefined> {
  const { id } = stored;
  try {
    const record = readRecord(stored.record);
    const { header: expected, queue, due } = record;
    const rolling = now - due < ROLLING_MS;
    if (record.origin === 'code' && !known.ids.has(id)) {
      if (rolling) return undefined;
      logError(`schedule ${id}: removed, the code has it no more`);
      return { id, expected, header: '', error: '', lines: '', due: undefined, messages: [] };
    }
    if (rolling && record.error === '' && !known.queues.has(queue)) return undefined;
    const { occurrences, next } = planDue(record, now);
    const { messages, error } = await makeMessages(id, record, occurrences, known);
    if (error !== '') logError(`schedule ${id}: ${error}`);
    const lastAt = (messages.length > 0 && occurrences.at(-1)) || record.lastAt;
    return {
      id,
      expected,
      header: writeHeader({ ...record, due: next, lastAt }),
      error,
      lines: '',
      due: next,
      messages,
    };
  } catch {
    return stopped(stored);
  }
}

/** What cannot be read makes no message and has no next occurrence: an operator has to put it again. */
function stopped({ id, record }: StoredSchedule): Change {
  const expected = readHeaderLine(record);
  const error = 'its stored form cannot be read';
  logError(`schedule ${id}: paused, ${error}`);
  return {
    id,
    expected,
    header: expected.replace(/^\d+ active/, '0 paused'),
    error,
    lines: '',
    due: undefined,
    messages: [],
  };
}

function planDue({ timing, due, catchUp, message }: ScheduleRecord, now: number) {
  const fit = Math.floor(SCHEDULE_LENGTH / JSON.stringify(message).length);
  return selectDue(compileTiming(timing), { due, now, catchUp, most: Math.max(1, Math.min(MOST_OCCURRENCES, fit)) });
}

/** A message for each occurrence. What is wrong is said by field and code only: the words of a schema may quote the body. */
async function makeMessages(
  id: string,
  { message, queue }: ScheduleRecord,
  occurrences: number[],
  { queues, place }: Definitions,
): Promise<{ messages: PreparedMessage[]; error: string }> {
  const { body, options } = message ?? { body: undefined, options: {} };
  const messages: PreparedMessage[] = [];
  for (const occurrence of occurrences) {
    const headers = { ...(options.headers as object), [ID_HEADER]: id, [OCCURRENCE_HEADER]: String(occurrence) };
    const made = await validateQuietly(
      { queue: queues.get(queue), body, options: { ...options, headers }, path: '' },
      queues,
    );
    if ('error' in made) return { messages: [], error: made.error };
    messages.push(place ? place(made.message, `${id} ${occurrence}`) : made.message);
  }
  return { messages, error: '' };
}

async function validateQuietly(
  input: MessageInput,
  queues: Queues,
): Promise<{ message: PreparedMessage } | { error: string }> {
  try {
    const made = await validate(input, queues);
    if ('message' in made) return made;
    return { error: made.issues.map(({ field, code }) => `${field}: ${code}`).join('; ') };
  } catch {
    return { error: 'body: its schema failed' }; // a schema is code of the deployment
  }
}
