// Durable Objects that drain, in this process: one alarm each, which is over before the next begins.
import type { Drainer } from '../../src/drain/drainer.ts';
import type { Sluice } from '../../src/index.ts';

interface DrainerObject {
  drainer: Drainer;
  alarmAt: number | undefined;
  isRunning: boolean;
}

export interface Objects {
  /** The binding DRAINER. */
  namespace: object;
  /** By their names. */
  known: Map<string, DrainerObject>;
  /** From now on they have this code. */
  serve(sluice: Sluice<object>, env: object): void;
  /** All are gone, with their alarms: those of whoever comes next are kept again, or lost too. */
  crash(next: 'kept' | 'lost'): void;
  /** No alarm runs or is set. */
  areIdle(): boolean;
  /** What alarms threw. */
  thrown: unknown[];
}

export function openObjects(): Objects {
  const known = new Map<string, DrainerObject>();
  const thrown: unknown[] = [];
  let areKept = true;
  let open: (name: string) => DrainerObject;
  const objectOf = (name: string) => {
    const object = known.get(name) ?? open(name);
    known.set(name, object);
    return object;
  };
  return {
    known,
    thrown,
    namespace: {
      getByName: (name: string) => ({
        wake: async (at: number) => objectOf(name).drainer.wake(at),
        start: async () => objectOf(name).drainer.start(),
      }),
      idFromName: (name: string) => name,
    },
    crash(next) {
      for (const object of known.values()) object.alarmAt = undefined;
      known.clear();
      areKept = next === 'kept';
    },
    areIdle: () => [...known.values()].every(({ alarmAt, isRunning }) => alarmAt === undefined && !isRunning),
    serve(sluice, env) {
      open = (name) => {
        const ring = async () => {
          const { alarmAt, isRunning } = object;
          if (isRunning || alarmAt === undefined || alarmAt > Date.now()) return;
          object.alarmAt = undefined;
          object.isRunning = true;
          await object.drainer.alarm().catch((error: unknown) => thrown.push(error));
          object.isRunning = false;
          await ring();
        };
        const storage = {
          getAlarm: async () => object.alarmAt ?? null,
          setAlarm: async (at: number) => {
            if (!areKept) return;
            object.alarmAt = at;
            setTimeout(ring, Math.max(1, at - Date.now() + 1));
          },
        };
        const id = { equals: (other: unknown) => other === name };
        const drainer = sluice.drainer(env, { storage, id });
        const object: DrainerObject = { drainer, alarmAt: undefined, isRunning: false };
        return object;
      };
    },
  };
}
