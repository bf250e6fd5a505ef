/** The loop, as the adapters of platforms on which a process stays have it: its settings, and that there is one. */
import { reopenEngine } from '../engine/makings.ts';
import { type Ending, Resident, type ResidentOptions } from '../engine/resident.ts';
import { BadSettings } from '../errors.ts';
import type { Connect } from '../redis/send.ts';
import { processEnv } from '../runtime/environment.ts';
import type { Sluice } from '../sluice.ts';
import { holdEnvironment } from './environment.ts';

export type { Ending };

export interface RunOptions<Env extends object> extends ResidentOptions {
  /** The settings. Default: the environment of the process. */
  env?: Env | undefined;
}

/** No platform counts subrequests here. */
const DEFAULTS = { SLUICE_DRAIN_REQUESTS: '10000000' };

const ADVICE =
  'No database is set: on this machine `npx sluice dev` runs one and writes its settings into .env (.env.local for Next.js), and --env-file gives them to the process';

/** The settings of a process that stays. */
export const residentEnvironment = <Env extends object>(given?: Env): Env => holdEnvironment(DEFAULTS, given)();

/** The loop that each Sluice has in this process. */
const loops = new WeakMap<object, Resident>();

/** @param connect left out: by fetch. @throws BadSettings; Error where a loop works already: with two there would be no one concurrency */
export function openResident<Env extends object>(
  sluice: Sluice<Env>,
  given: Env = processEnv() as Env,
  connect?: Connect,
): Resident {
  if (loops.get(sluice)?.isOver === false)
    throw new Error('this Sluice is at work here already: call run or serve once');
  const settings = residentEnvironment(given);
  // Code of the process may enqueue with either of them.
  const open = () => new Resident((drainers) => reopenEngine(sluice, [settings, given], { drainers, connect }));
  const resident = withAdvice(open, given);
  loops.set(sluice, resident);
  return resident;
}

/** @throws what `open` throws; where no database is set at all, with what to do: mostly nobody has loaded the file of the settings */
function withAdvice<Result>(open: () => Result, env: object): Result {
  try {
    return open();
  } catch (error) {
    const isSet = ['UPSTASH_REDIS_REST_URL', 'KV_REST_API_URL', 'SLUICE_SHARDS'].some((name) => Reflect.get(env, name));
    if (isSet || !(error instanceof BadSettings)) throw error;
    throw new BadSettings(`${error.message}. ${ADVICE}`);
  }
}

/**
 * Delivers messages in this process until the signal is aborted, as `run` of `sluice/node` does, with the runtime's own fetch.
 * @returns when what was begun has ended, or the grace is over: `{ cutOff, isSettled }`; without a signal never
 * @throws BadSettings
 * @example await run(sluice, { signal: stopping.signal, graceMs: 10_000 })
 */
export async function run<Env extends object>(
  sluice: Sluice<Env>,
  { env, ...options }: RunOptions<Env> = {},
): Promise<Ending> {
  return openResident(sluice, env).run(options);
}
