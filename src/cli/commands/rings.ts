/** `sluice rings`: circular lists that many clients rotate. */
import type { Command } from 'commander';
import { confirm, YES } from '../confirm.ts';
import { connect } from '../connection.ts';
import { examples, whole } from '../options.ts';
import { collect } from '../pages.ts';
import { tableOf } from '../table.ts';
import { visible } from '../visible.ts';

export function addRings(program: Command): void {
  const rings = program.command('rings').description('circular lists that many clients rotate');
  const list = rings
    .command('list', { isDefault: true })
    .description('the rings and their lengths')
    .addHelpText('after', examples('sluice rings'))
    .action(async () => {
      const { admin, out } = connect(list);
      const found = await collect(
        (cursor) => admin.rings.list({ cursor }),
        (page) => page.rings,
      );
      const rows = found.map(({ ring, length }) => [ring, length]);
      out.show({ rings: found }, () => tableOf(['ring', 'length'], rows, out));
    });
  addShow(rings);
  addItems(rings);
  addRotate(rings);
  addDelete(rings);
}

function addShow(rings: Command): void {
  const command = rings
    .command('show')
    .description('the items of a ring, a line each')
    .argument('<ring>', 'its name')
    .addHelpText('after', examples('sluice rings show monitors'))
    .action(async (ring: string) => {
      const { admin, out } = connect(command);
      const items = await collect(
        (cursor) => admin.rings.get(ring, { cursor }),
        (page) => page.items,
      );
      out.show({ ring, items }, () => lines(items));
    });
}

function addItems(rings: Command): void {
  const verbs = [
    ['add', 'add items to a ring; those that it has stay where they are'],
    ['remove', 'take items out of a ring'],
  ] as const;
  for (const [verb, description] of verbs) {
    const command = rings
      .command(verb)
      .description(description)
      .argument('<ring>', 'its name')
      .argument('<items...>', 'texts')
      .addHelpText('after', examples(`sluice rings ${verb} monitors https://example.com/a https://example.com/b`))
      .action(async (ring: string, items: string[]) => {
        const { admin, out } = connect(command);
        const answer = await admin.rings[verb](ring, items);
        out.show(answer, () => countsOf(answer));
      });
  }
}

function addRotate(rings: Command): void {
  const command = rings
    .command('rotate')
    .description('take the next items, which go to the end of the ring')
    .argument('<ring>', 'its name')
    .option('--count <n>', 'how many', whole(1, 1_000), 1)
    .addHelpText('after', examples('sluice rings rotate monitors --count 10'))
    .action(async (ring: string, { count }: { count: number }) => {
      const { admin, out } = connect(command);
      const answer = await admin.rings.rotate(ring, count);
      out.show(answer, () => lines(answer.items));
    });
}

function addDelete(rings: Command): void {
  const command = rings
    .command('delete')
    .description('delete a ring with all of its items; asks first')
    .argument('<ring>', 'its name')
    .option(...YES)
    .addHelpText('after', examples('sluice rings delete monitors --yes'))
    .action(async (ring: string, flags: { yes?: true }) => {
      const { admin, out, url } = connect(command);
      await confirm(`Delete ring ${ring} at ${url}`, flags);
      const answer = await admin.rings.drop(ring);
      out.show(answer, () => countsOf(answer));
    });
}

function lines(items: string[]): string {
  return items.map(visible).join('\n');
}

/** Such as "added 2, length 5": whatever numbers the server answers. */
function countsOf(answer: object): string {
  const counts = Object.entries(answer).filter(([, value]) => typeof value === 'number');
  return counts.map(([name, count]) => `${name} ${count}`).join(', ');
}
