/** `sluice shards`: the databases of a deployment, and those that come and go. */
import { type Command, InvalidArgumentError } from 'commander';
import type { ShardEvacuated } from '../../client/admin.ts';
import { confirm, YES } from '../confirm.ts';
import { type Connection, connect } from '../connection.ts';
import { Failure } from '../failure.ts';
import { examples } from '../options.ts';
import { looks, untilStopped } from '../poll.ts';
import { startProgress } from '../progress.ts';
import { countHoldings, holdingsText, shardTable } from '../shard-table.ts';

/** So often it is asked for more though nothing went: what is leased comes back, and parcels arrive. */
const IDLE_CALLS = 5;
const IDLE_MS = 1_000;

export function addShards(program: Command): void {
  const shards = program.command('shards').description('the databases of a deployment, and those that come and go');
  addList(shards);
  addActivate(shards);
  addDrain(shards);
  addEvacuate(shards);
  addVerify(shards);
  addForget(shards);
  addPin(shards);
  addUnpin(shards);
  addWeigh(shards);
}

function addList(shards: Command): void {
  const command = shards
    .command('list', { isDefault: true })
    .description('which there are, what they are for and what they have')
    .addHelpText('after', examples('sluice shards'))
    .action(async () => {
      const { admin, out } = connect(command);
      const list = await admin.shards.list();
      out.show(list, () => shardTable(list, out));
    });
}

function addActivate(shards: Command): void {
  const command = shards
    .command('activate')
    .description('have new messages go to a shard, once all versions of the deployment have it in their settings')
    .argument('<shard>', 'its name')
    .option('--weight <n>', 'one of twice the weight is home to twice as many', readWeight)
    .addHelpText('after', examples('sluice shards activate c', 'sluice shards activate c --weight 2'))
    .action(async (shard: string, { weight }: { weight?: number }) => {
      const { admin, out } = connect(command);
      const answer = await admin.shards.activate(shard, weight === undefined ? {} : { weight });
      out.show(answer, () => `${answer.shard} is active`);
    });
}

function addDrain(shards: Command): void {
  const command = shards
    .command('drain')
    .description('have nothing new go to a shard')
    .argument('<shard>', 'its name')
    .addHelpText('after', examples('sluice shards drain b'))
    .action(async (shard: string) => {
      const { admin, out } = connect(command);
      const answer = await admin.shards.drain(shard);
      out.show(answer, () => `${answer.shard} drains`);
    });
}

function addEvacuate(shards: Command): void {
  const command = shards
    .command('evacuate')
    .description('move what a draining shard has to where it belongs by now')
    .argument('<shard>', 'its name')
    .option('--unpin', 'what is pinned there until it is empty goes too; its order and limits are not kept; asks first')
    .option(...YES)
    .addHelpText('after', examples('sluice shards evacuate b', 'sluice shards evacuate b --unpin --yes'))
    .action(async (shard: string, flags: { unpin?: true; yes?: true }) => {
      const connection = connect(command);
      const unpin = flags.unpin === true;
      if (unpin) await confirm(`Move what is pinned to ${shard} at ${connection.url}, without its order`, flags);
      const { moved, last } = await evacuate(connection, shard, unpin);
      connection.out.show({ ...last, moved }, () => `${moved} moved`);
      if (last.more) throw new Failure(`${shard} still has ${holdingsText(last.has)}${heldText(last)}`);
    });
}

async function evacuate({ admin }: Connection, shard: string, unpin: boolean) {
  const progress = startProgress();
  let moved = 0;
  let last: ShardEvacuated | undefined;
  let isUnpinned = false;
  const step = async () => {
    const answer = await admin.shards.evacuate(shard, { unpin: unpin && !isUnpinned });
    isUnpinned = true;
    return answer;
  };
  try {
    for (let idle = 0; idle < IDLE_CALLS; ) {
      last = await step();
      moved += last.moved;
      const left = countHoldings(last.has);
      progress.at(`${moved} moved, ${left} left`, moved / Math.max(1, moved + left));
      if (!last.more) break;
      idle = last.moved > 0 ? 0 : idle + 1;
      if (idle > 0 && (await isStopped())) break;
    }
  } finally {
    progress.end();
  }
  return { moved, last: last as ShardEvacuated };
}

/** After a moment. @returns whether it was ended meanwhile */
async function isStopped(): Promise<boolean> {
  const signal = untilStopped();
  for await (const _ of looks(async () => undefined, { intervalMs: IDLE_MS, count: 2, signal }));
  return signal.aborted;
}

const heldText = ({ held }: ShardEvacuated) =>
  held > 0 ? `; ${held} of what has its home there stay until they are empty (--unpin moves queues all the same)` : '';

function addVerify(shards: Command): void {
  const command = shards
    .command('verify')
    .description('count what would be lost with a shard; fails where it is not empty')
    .argument('<shard>', 'its name')
    .addHelpText('after', examples('sluice shards verify b'))
    .action(async (shard: string) => {
      const { admin, out } = connect(command);
      const verified = await admin.shards.verify(shard);
      const left = Object.entries(verified.left).map(([kind, count]) => `${kind} ${count}`);
      if (verified.parcels > 0) left.push(`parcels for it ${verified.parcels}`);
      out.show(verified, () => (verified.empty ? `${shard} is empty` : left.join('\n')));
      if (!verified.empty) throw new Failure(`${shard} is not empty`);
    });
}

function addForget(shards: Command): void {
  const command = shards
    .command('forget')
    .description('take a shard out for good: an empty one, or one whose database is lost; asks first')
    .argument('<shard>', 'its name, which is never used again')
    .option('--lost', 'its database is lost, with all that it had')
    .option(...YES)
    .addHelpText('after', examples('sluice shards forget b --yes', 'sluice shards forget b --lost'))
    .action(async (shard: string, flags: { lost?: true; yes?: true }) => {
      const { admin, out, url } = connect(command);
      const how = flags.lost ? ', with all that its database had' : '';
      await confirm(`Forget shard ${shard} at ${url} for good${how}`, flags);
      const answer = await admin.shards.forget(shard, { lost: flags.lost === true });
      const queues = answer.queues?.join(', ');
      out.show(answer, () => `${shard} is gone${queues ? `, and what these queues had there: ${queues}` : ''}`);
    });
}

function addPin(shards: Command): void {
  const command = shards
    .command('pin')
    .description('give queues a home by hand')
    .argument('<queue>', 'its name, or the beginning of several and *')
    .argument('<shard>', 'their home from now on')
    .addHelpText('after', examples("sluice shards pin 'billing.*' b"))
    .action(async (queue: string, shard: string) => {
      const { admin, out } = connect(command);
      const pin = await admin.shards.pin(queue, shard);
      out.show(pin, () => `${pin.queue} is pinned to ${pin.shard}`);
    });
}

function addUnpin(shards: Command): void {
  const command = shards
    .command('unpin')
    .description('let queues have the home that placement gives them')
    .argument('<queue>', 'as it was pinned')
    .addHelpText('after', examples("sluice shards unpin 'billing.*'"))
    .action(async (queue: string) => {
      const { admin, out } = connect(command);
      const answer = await admin.shards.unpin(queue);
      out.show(answer, () => `${answer.queue} is not pinned`);
    });
}

function addWeigh(shards: Command): void {
  const command = shards
    .command('weigh')
    .description('change the weight of a shard')
    .argument('<shard>', 'its name')
    .argument('<weight>', 'from 0.01 to 100', readWeight)
    .addHelpText('after', examples('sluice shards weigh b 2'))
    .action(async (shard: string, weight: number) => {
      const { admin, out } = connect(command);
      const answer = await admin.shards.weigh(shard, weight);
      out.show(answer, () => `${answer.shard} has weight ${weight}`);
    });
}

function readWeight(text: string): number {
  const weight = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && weight >= 0.01 && weight <= 100) return weight;
  throw new InvalidArgumentError('It must be a number from 0.01 to 100.');
}
