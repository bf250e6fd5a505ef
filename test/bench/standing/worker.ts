/** The Worker whose deliveries are slow: each is a fetch to a receiver, which takes its time. */
import { drainerOf } from '../../../src/adapters/cloudflare.ts';
import { drain } from '../../../src/http/functions.ts';
import { createSluice, defineQueue, type HandlerContext } from '../../../src/index.ts';

interface Env {
  RECEIVER: string;
}

const work = defineQueue('work', {
  subrequests: 1,
  async handler({ body }, { env, signal }: HandlerContext<Env>) {
    const answer = await fetch(env.RECEIVER + (body as { n: number }).n, { signal });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`the receiver answered ${answer.status}`);
  },
});

const sluice = createSluice<Env>({ queues: [work], functions: [drain] });

export const SluiceDrainer = drainerOf(sluice);
export default sluice;
