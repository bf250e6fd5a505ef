/** Schedules of several shards: each at its home, whatever queue its messages are for. */
import type { Fleet } from '../shards/fleet.ts';
import { readPage } from '../shards/pages.ts';
import { placeOfSchedule } from '../shards/places.ts';
import { type ChangeStatus, openScheduleStore, type ScheduleStore } from './store.ts';

/** The cursor of a shard's first page, and what a last one answers. */
const END = '0';

/** With one shard its own store. */
export function openSchedulesOn(fleet: Fleet): ScheduleStore {
  if (!fleet.topology.isMany) return openScheduleStore(fleet.all[0]);
  /** Asks the home of each for those that are there. */
  const askHomes = async <Item extends { id: string }, Answer>(
    items: Item[],
    ask: (store: ScheduleStore, own: Item[]) => Promise<Answer>,
  ) => {
    await fleet.ready();
    const byHome = Map.groupBy(items, ({ id }) => fleet.home(placeOfSchedule(id)));
    const asking = [...byHome].map(async ([shard, own]) => ({ own, answer: await ask(openScheduleStore(shard), own) }));
    return Promise.all(asking);
  };
  return {
    async recall(known, version) {
      const answers = await askHomes(known, (store, own) => store.recall(own, version));
      const now = Math.max(0, ...answers.map(({ answer }) => answer.now));
      return { now, schedules: answers.flatMap(({ answer }) => answer.schedules) };
    },
    async change(changes, wakes) {
      const answers = await askHomes(changes, (store, own) => store.change(own, wakes));
      const statuses = new Map(answers.flatMap(({ own, answer }) => own.map((one, i) => [one, answer.statuses[i]])));
      const wake = answers.some(({ answer }) => answer.wake);
      return { statuses: changes.map((change) => statuses.get(change) as ChangeStatus), wake };
    },
    async page(cursor, count) {
      await fleet.ready();
      let now = Date.now();
      const { items, ...page } = await readPage(fleet, count, cursor, END, async (shard, most, from) => {
        const { schedules, ...rest } = await openScheduleStore(shard).page(from, most);
        now = rest.now;
        return { items: schedules, cursor: rest.cursor };
      });
      return { now, ...page, schedules: items };
    },
  };
}
