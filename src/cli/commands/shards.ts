/** `sluice shards`: the databases of a deployment, and those that come and go. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Admin } from '../../client/admin.ts';
import { listQueues } from '../browse.ts';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { adviceOn, evacuateShard } from '../evacuate.ts';
import { Failure } from '../failure.ts';
import { examples } from '../options.ts';
import { holdingsText, leftTable, shardTable } from '../shard-table.ts';
import { visible } from '../visible.ts';

const EXPLAINED = `
One that comes:  deploy it as "joining", then activate
One that goes:   drain, evacuate, verify, forget, then deploy without it

In the table, others are schedules, topics and rings; parcels are messages that a shard holds for others until they are forwarded;
held is what has its home there only until the shard is empty of it. docs/scale.md has all of it step by step.`;

export function addShards(program: Command): void {
  const shards = program
    .command('shards')
    .description('the databases of a deployment, and those that come and go')
    .addHelpText('after', EXPLAINED);
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
      out.show(
        answer,
        () => `${answer.shard} is active: new messages go there. \`sluice shards\` says what is held elsewhere`,
      );
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
      out.show(
        answer,
        () => `${answer.shard} drains: nothing new goes there. \`sluice shards evacuate ${shard}\` moves what it has`,
      );
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
      const { admin, out, url } = connect(command);
      const unpin = flags.unpin === true;
      if (unpin) await confirm(`Move what is held on ${shard} at ${url}, without its order and its limits`, flags);
      const { moved, last, isStopped } = await evacuateShard(admin, out, shard, unpin);
      const then = `\`sluice shards verify ${shard}\` says whether it may go`;
      out.show({ ...last, moved }, () =>
        last.more ? `${moved} moved` : `${moved} moved, and nothing is left. ${then}`,
      );
      if (!last.more) return;
      for (const line of adviceOn(last, await admin.shards.list())) out.say(visible(line));
      throw new Failure(`${isStopped ? 'stopped: ' : ''}${shard} still has ${holdingsText(last.has)}`);
    });
}

function addVerify(shards: Command): void {
  const command = shards
    .command('verify')
    .description('count what would be lost with a shard; fails where it is not empty')
    .argument('<shard>', 'its name')
    .addHelpText('after', examples('sluice shards verify b'))
    .action(async (shard: string) => {
      const { admin, out } = connect(command);
      const verified = await admin.shards.verify(shard);
      out.show(verified, () =>
        verified.empty ? `${shard} is empty: \`sluice shards forget ${shard}\` takes it out` : leftTable(verified, out),
      );
      if (verified.parcels > 0)
        out.say(`other shards hold ${verified.parcels} parcels for it: they go by themselves within a minute`);
      if (verified.twice > 0)
        out.say(`${verified.twice} of its messages are on another shard too: an evacuation takes these away from here`);
      if (!verified.empty)
        throw new Failure(`${shard} is not empty: \`sluice shards evacuate ${shard}\` moves what it has`);
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
      const lost = flags.lost === true;
      if (lost) for (const line of await knownOf(admin, shard)) out.say(visible(line));
      const how = lost ? ', with all that its database had' : '';
      await confirm(`Forget shard ${shard} at ${url} for good${how}`, flags);
      const answer = await admin.shards.forget(shard, { lost });
      const queues = answer.queues?.join(', ');
      out.show(answer, () => `${shard} is gone${queues ? `, and what these queues had there: ${queues}` : ''}`);
    });
}

/** What a shard that is lost had, as far as anybody knows: it may answer still, and then it is not lost. */
async function knownOf(admin: Admin, name: string): Promise<string[]> {
  const { shards } = await admin.shards.list();
  const shard = shards.find((one) => one.shard === name);
  if (!shard || shard.state === 'gone') return [];
  if (!shard.has)
    return [`${name} does not answer: how much it had is not known, for no other shard keeps count of that`];
  const has = holdingsText(shard.has) || 'nothing';
  return [`${name} answers, and has ${has}: \`sluice shards drain ${name}\` and then \`evacuate\` save that`];
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
      const beginning = queue.endsWith('*') ? queue.slice(0, -1) : undefined;
      const isMeant = (name: string) => (beginning === undefined ? name === queue : name.startsWith(beginning));
      if (!(await listQueues(admin)).some((one) => isMeant(one.queue))) out.say(`no queue is called ${queue} by now`);
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
      const { pins } = await admin.shards.list();
      if (!pins.some((pin) => pin.queue === queue))
        throw new Failure(`no pin is called ${queue}; there are: ${pins.map((pin) => pin.queue).join(', ') || 'none'}`);
      const answer = await admin.shards.unpin(queue);
      out.show(answer, () => `${answer.queue} is not pinned any more`);
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
