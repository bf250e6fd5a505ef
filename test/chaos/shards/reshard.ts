/**
 * Resharding under load: a deployment over two databases gets a third, and loses it again. First the third is in the settings of a new
 * version only, while both versions are at work; then it is activated; later it is drained, evacuated and verified, and nothing of it is
 * missed. Each call is made until it is answered: it may have been done before.
 */
import type { Deployment } from './deployment.ts';

/** What an operator has done, in the order in which it is. */
export const STEPS = ['deployed', 'activated', 'drained', 'evacuated', 'verified'] as const;
export type Step = (typeof STEPS)[number];

export interface Resharding {
  done: Set<Step>;
  /** Which version this producer or consumer calls now: for a while both are at work. */
  versionFor(actor: number): 'old' | 'new';
  /** Until it is told to stop. */
  run(isOver: () => boolean): Promise<void>;
  /** Evacuates the rest where all is well. */
  finish(): Promise<void>;
}

export interface ReshardingOptions {
  /** The shard that comes and goes. */
  shard: string;
  secondsOfRun: number;
  /** Has the new version take the place of the old one, bit by bit. */
  deploy: () => void;
  /** Of the new version. */
  deployment: Deployment;
}

/** When each step begins, as a part of the run. */
const DEPLOYED = 0.15;
/** From here on nobody runs the old version, which could not reach what is activated next. */
const OLD_ENDS = 0.28;
const ACTIVATED = 0.35;
const DRAINED = 0.65;
const AGAIN_MS = 200;
const FINISH_WITHIN_MS = 60_000;

export function planResharding({ shard, secondsOfRun, deploy, deployment }: ReshardingOptions): Resharding {
  const done = new Set<Step>();
  const started = performance.now();
  const call = (what: string, body?: unknown) => deployment.call('POST', `/v1/shards/${shard}/${what}`, body);
  const isAt = (share: number) => performance.now() > started + share * secondsOfRun * 1_000;

  async function act(step: Step, what: string): Promise<void> {
    const answer = await call(what);
    if (answer && answer.status >= 400) throw new Error(`${what} was refused: ${JSON.stringify(answer)}`);
    if (answer) done.add(step);
  }

  /** @returns whether nothing is left of it */
  async function evacuate(): Promise<boolean> {
    const answer = await call('evacuate', {});
    return answer?.status === 200 && answer.body.more === false;
  }

  return {
    done,
    versionFor: (actor) => (isAt(OLD_ENDS) || (done.has('deployed') && actor % 2 === 0) ? 'new' : 'old'),
    async run(isOver) {
      while (!isOver()) {
        if (isAt(DEPLOYED) && !done.has('deployed')) {
          deploy();
          done.add('deployed');
        } else if (isAt(ACTIVATED) && !done.has('activated')) await act('activated', 'activate');
        else if (isAt(DRAINED) && !done.has('drained')) await act('drained', 'drain');
        else if (done.has('drained')) await evacuate();
        await sleep(AGAIN_MS);
      }
    },
    async finish() {
      const end = performance.now() + FINISH_WITHIN_MS;
      const untilDone = async (step: Step, attempt: () => Promise<unknown>) => {
        for (; !done.has(step) && performance.now() < end; await sleep(AGAIN_MS)) await attempt();
      };
      await untilDone('activated', () => act('activated', 'activate'));
      await untilDone('drained', () => act('drained', 'drain'));
      await untilDone('evacuated', async () => (await evacuate()) && done.add('evacuated'));
      await untilDone('verified', async () => (await call('verify'))?.body.empty === true && done.add('verified'));
    },
  };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
