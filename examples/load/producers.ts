/**
 * Who puts messages in over the API while `npm run dev -- --demo` runs: a line each. What comes in another way (webhooks,
 * rings, schedules) has a file beside this one.
 */
interface Producer {
  everyMs: number;
  messages(turn: number): object[];
}

const REPORTS = ['invoices', 'churn', 'inventory', 'payroll'];
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli'];
const pick = <T>(list: readonly T[], i: number): T => list[i % list.length] as T;
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const signUp = (turn: number) => ({
  queue: 'confirmation.email',
  body: { to: `new${turn}@example.com`, token: `token-${turn}` },
});

const newsletter = (turn: number) => (i: number) => ({
  queue: 'notification.email',
  body: { to: `reader${i}@example.com`, article: `issue-${turn}` },
});

const reminder = (turn: number) => ({
  queue: 'notification.email',
  body: { to: `reader${turn % 500}@example.com`, article: 'your-cart-is-waiting' },
  delay: `${20 + ((turn * 37) % 3_000)}s`,
});

const report = (turn: number) => ({
  queue: 'reports',
  body: {
    report: pick(REPORTS, turn * 3 + (turn >> 3)),
    month: `2026-${String(1 + (turn % 12)).padStart(2, '0')}`,
    pages: (turn * 7) % 61,
  },
  group: pick(TENANTS, turn * 3),
  priority: turn % 9 === 0 ? 1 : 4,
  headers: { 'x-requested-by': `user-${(turn * 13) % 90}` },
});

export const PRODUCERS: Producer[] = [
  { everyMs: 900, messages: (turn) => [signUp(turn)] },
  { everyMs: 25_000, messages: (turn) => many(120, newsletter(turn)) },
  { everyMs: 4_000, messages: (turn) => [reminder(turn)] },
  { everyMs: 1_500, messages: (turn) => many(1 + (turn % 3), (i) => report(3 * turn + i)) },
  { everyMs: 45_000, messages: (turn) => many(60, (i) => report(60 * turn + i + 7)) }, // everybody wants theirs at once
];
