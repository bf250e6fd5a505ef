/** What must hold of a standing backlog of slow deliveries, and what the page says of it. Pure. */
import { type Demand, most } from '../demand.ts';
import type { Results, StandingFigures } from '../figures.ts';
import { machineText, table, whole } from '../tables.ts';

const MESSAGES = 100_000;
const MOST_S = 180;

const TEXT = `## A standing backlog of slow deliveries

Messages wait whose handlers fetch from a receiver that takes 100 ms, and nothing more comes: without fan-out cron has one drain at work, with
five handlers at once. The deployed Worker in workerd; the time is until the last is acknowledged.`;

/** Of each way that there is, so that the slowest is judged. */
export function standingDemands({ figures }: NonNullable<Results['standing']>): Demand[] {
  const whole = figures.filter(({ drains, messages, way }) => drains === 16 && messages >= MESSAGES && way !== 'asked');
  const seconds = whole.length > 0 ? Math.max(...whole.map((one) => one.seconds)) : undefined;
  return [most('100,000 waiting deliveries of 100 ms, 16 drains, the slowest way, seconds', MOST_S, seconds)];
}

export const standingTable = (figures: StandingFigures[]) =>
  table(
    ['begun by', 'drains', 'messages', 'seconds', 'messages/s', '100,000 take, minutes', 'lost / doubled'],
    figures.map(({ told, drains, messages, seconds, lost, doubled }) => [
      told,
      String(drains),
      whole(messages),
      seconds.toFixed(1),
      whole(messages / seconds),
      ((MESSAGES / messages) * (seconds / 60)).toFixed(1),
      `${lost} / ${doubled}`,
    ]),
  );

export const standingSection = ({ machine, figures }: NonNullable<Results['standing']>) =>
  [TEXT, standingTable(figures), machineText(machine)].join('\n\n');
