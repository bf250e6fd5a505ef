/** `sluice schedules`: recurring messages: look, run now, pause, resume, delete. */
import type { Command } from 'commander';
import type { ScheduleReport } from '../../client/admin.ts';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { examples } from '../options.ts';
import { collect } from '../pages.ts';
import { type Screen, tableOf } from '../table.ts';
import { fromNow, lengthOf } from '../time.ts';

export function addSchedules(program: Command): void {
  const schedules = program.command('schedules').description('recurring messages');
  const list = schedules
    .command('list', { isDefault: true })
    .description('the schedules, and when they fire next')
    .addHelpText('after', examples('sluice schedules', 'sluice schedules list --json'))
    .action(async () => {
      const { admin, out } = connect(list);
      const found = await collect(
        (cursor) => admin.schedules.list({ cursor }),
        (page) => page.schedules,
      );
      out.show({ schedules: found }, () => scheduleTable(found, Date.now(), out));
    });
  addVerb(schedules, 'run', 'fire one now, besides its times', 'fired');
  addVerb(schedules, 'pause', 'one fires no more', 'paused');
  addVerb(schedules, 'resume', 'a paused one fires again', 'resumed');
  addDelete(schedules);
}

function addVerb(schedules: Command, verb: 'run' | 'pause' | 'resume', description: string, done: string): void {
  const command = schedules
    .command(verb)
    .description(description)
    .argument('<id>', 'its name')
    .addHelpText('after', examples(`sluice schedules ${verb} nightly-report`))
    .action(async (id: string) => {
      const { admin, out } = connect(command);
      out.show(await admin.schedules[verb](id), () => `${id} ${done}`);
    });
}

function addDelete(schedules: Command): void {
  const command = schedules
    .command('delete')
    .description('delete one; asks first')
    .argument('<id>', 'its name')
    .option(...YES)
    .addHelpText('after', examples('sluice schedules delete nightly-report --yes'))
    .action(async (id: string, flags: { yes?: true }) => {
      const { admin, out, url } = connect(command);
      await confirm(`Delete schedule ${id} at ${url}`, flags);
      out.show(await admin.schedules.remove(id), () => `${id} deleted`);
    });
}

function scheduleTable(schedules: ScheduleReport[], now: number, screen: Screen): string {
  const rows = schedules.map(({ id, state, queue, cron, everyMs, tz, next = [] }) => [
    id,
    state === 'paused' ? ({ text: state, style: 'yellow' } as const) : state,
    queue,
    cron === undefined ? `every ${lengthOf(everyMs ?? 0)}` : [cron, tz].filter(Boolean).join(' '),
    fromNow(next[0], now),
  ]);
  return tableOf(['schedule', 'state', 'queue', 'when', 'next'], rows, screen);
}
