/** Scheduling: schedules are fired where an answer says that they are due, and those of the code are registered by ticks. */
import type { Queues } from '../broker/validate.ts';
import type { Shard } from '../redis/shard.ts';
import type { Fleet } from '../shards/fleet.ts';
import { placeOfSchedule } from '../shards/places.ts';
import { openPlacing } from '../shards/placing.ts';
import { type Definitions, fireSchedules } from './fire.ts';
import { registrar } from './register.ts';
import type { OpenScheduling, Schedule } from './schedule.ts';
import { openScheduleStore } from './store.ts';

const openScheduling: OpenScheduling = (queues, schedules, fleet) => {
  const known = { queues, ids: new Set(schedules.map(({ id }) => id)) };
  const place = fleet.topology.isMany ? placerOn(fleet, queues) : undefined;
  const registrarFor = fleet.topology.isMany
    ? registrars(fleet, schedules, known)
    : always(registrar(schedules, known));
  return {
    async fire(shard, due, now, wakes) {
      await fleet.ready();
      return fireSchedules(openScheduleStore(shard), { ...known, place: place?.(shard) }, due, now, wakes);
    },
    async follow(shard, swept) {
      await fleet.ready();
      return registrarFor(shard)(openScheduleStore(shard), swept);
    },
  };
};

const always =
  <Value>(value: Value) =>
  () =>
    value;

/** What a shard stores for an occurrence of one of its schedules. */
function placerOn(fleet: Fleet, queues: Queues) {
  const placing = openPlacing(fleet.topology, queues);
  return (shard: Shard): Definitions['place'] =>
    (message, occurrence) =>
      placing.placeFrom(message, shard.identity.name, occurrence).message;
}

type Registrar = ReturnType<typeof registrar>;

/** Each shard has those of the code that are at home there. */
function registrars(fleet: Fleet, schedules: readonly Schedule[], known: Definitions): (shard: Shard) => Registrar {
  const opened = new Map<string, { epoch: string; register: Registrar }>();
  return ({ identity: { name, epoch } }) => {
    let registering = opened.get(name);
    if (registering?.epoch !== epoch) {
      const own = schedules.filter(({ id }) => fleet.topology.home(placeOfSchedule(id)) === name);
      registering = { epoch, register: registrar(own, known) };
      opened.set(name, registering);
    }
    return registering.register;
  };
}

/** What schedules bring along, whether code or callers of the API define them. */
export const features = { schedules: openScheduling };
