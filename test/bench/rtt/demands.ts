/** What must hold where each round trip takes a while. Pure. */
import { beside, type Demand, most, times } from '../demand.ts';
import type { FarFigures, FarPoint, Results } from '../figures.ts';

/** Who is far away: 20 ms are a Worker and a Redis in different regions of a continent. */
const FAR_MS = 20;
const NEAR_MS = 1;
/** Of a rate that is to be no lower: two runs of one thing differ by as much. */
const NO_SLOWER = 0.95;

export function demandsFromAfar({ figures, lines }: NonNullable<Results['rtt']>): Demand[] {
  const line = lines.find(({ ms }) => ms === FAR_MS);
  const per = (ms: number | undefined, one: number | undefined) => (ms && one ? ms / one : undefined);
  const bullmq = at(
    figures.find(({ of }) => of === 'BullMQ'),
    FAR_MS,
  )?.drain?.median;
  return [
    ...FORMS.flatMap(([of, called]) => {
      const [one, four] = [1, 4].map((leases) => figures.find((row) => isHolding(row, of, leases)));
      const rate = (row: FarFigures | undefined, ms: number) => at(row, ms)?.drain?.median;
      return [
        times(`${called}, ${FAR_MS} ms away: 4 leases : one`, 3.5, rate(four, FAR_MS), rate(one, FAR_MS)),
        times(`${called}, ${NEAR_MS} ms away: 4 leases : one`, NO_SLOWER, rate(four, NEAR_MS), rate(one, NEAR_MS)),
      ];
    }),
    ...FORMS.flatMap(([of, called]) => {
      const p50 = at(standardOf(figures, of), FAR_MS)?.wake?.p50;
      const what = `${called}, ${FAR_MS} ms away: wake, p50, in `;
      return [
        most(`${what}round trips`, 1.2, per(p50, line?.p50), 2),
        most(`${what}what a lone request takes`, 1.2, per(p50, line?.lone), 2),
      ];
    }),
    beside(
      `library drain : BullMQ, ${FAR_MS} ms away`,
      at(standardOf(figures, 'library'), FAR_MS)?.drain?.median,
      bullmq,
    ),
  ];
}

const FORMS = [
  ['library', 'library'],
  ['worker', 'Worker'],
] as const;

const at = (figures: FarFigures | undefined, ms: number): FarPoint | undefined =>
  figures?.points.find((point) => point.ms === ms);

const standardOf = (figures: FarFigures[], of: FarFigures['of']) =>
  figures.find((row) => row.of === of && row.isStandard);

const isHolding = (row: FarFigures, of: FarFigures['of'], leases: number) =>
  row.of === of && row.drains === 1 && row.leases === leases && !row.isStandard;
