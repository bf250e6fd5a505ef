/** Who is measured from afar. Settings that this Sluice does not have yet leave their rows out. */
import type { Contender } from '../contender.ts';
import { bullmq } from '../contenders/bullmq.ts';
import { sluiceLibrary } from '../contenders/sluice-library.ts';
import { standardOf, takesSetting, type Variant } from '../contenders/sluice-settings.ts';
import { sluiceWorker } from '../contenders/sluice-worker.ts';
import { textbookReliable } from '../contenders/textbook-reliable.ts';
import type { FarRow } from '../figures.ts';

export interface Entry {
  row: FarRow;
  contender: Contender;
  /** How messages go in, and how soon one is handled, is measured too. */
  isWhole: boolean;
  /** One of several that differ in a number: at one distance alone. */
  isSeries: boolean;
}

export function entries(): Entry[] {
  const hasLeases = takesSetting('SLUICE_LEASES', '8');
  return [
    peer('textbook', 10, textbookReliable(10)),
    peer('BullMQ', 1, bullmq(100)),
    ...(['library', 'worker'] as const).flatMap((of) => [
      ...(hasLeases ? [1, 2, 4, 8] : [1]).map((leases) => ours(of, leases, 1)),
      ...[4, 16].map((drains) => ours(of, 1, drains)),
      ours(of),
    ]),
  ];
}

function peer(of: FarRow['of'], drains: number, contender: Contender): Entry {
  const { name, settings } = contender;
  return { row: { name, of, drains, leases: 0, settings }, contender, isWhole: true, isSeries: false };
}

const MADE_BY = { library: sluiceLibrary, worker: sluiceWorker };
const CALLED = { library: 'Sluice, library', worker: 'Sluice, Worker' };

/** @param leases of each drain, in batches of 100; left out, all is as it comes */
function ours(of: 'library' | 'worker', leases?: number, drains = 1): Entry {
  const variant: Variant = { drains };
  if (leases !== undefined) variant.settings = { SLUICE_BATCH: '100', SLUICE_LEASES: String(leases) };
  const contender = MADE_BY[of](variant);
  const held = leases === 1 ? 'one lease' : `${leases} leases`;
  const how = leases === undefined ? 'as it comes' : `${drains === 1 ? '' : `${drains} drains, `}${held}`;
  const row: FarRow = {
    name: `${CALLED[of]}, ${how}`,
    of,
    drains,
    leases: leases ?? Number(standardOf('SLUICE_LEASES') ?? 1),
    isStandard: leases === undefined,
    settings: contender.settings,
  };
  const isSeries = leases === 2 || leases === 8 || drains > 1;
  return { row, contender, isWhole: leases === undefined, isSeries };
}
