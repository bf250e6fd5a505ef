/** What a refusal means for whoever runs the database: what has ended, until when, and what to do about it. Pure. */

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

function nextMonth(now: number): string {
  const today = new Date(now);
  return day(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() + 1, 1));
}

const usedUp = (what: string, until: string) =>
  `the ${what}'s commands are used up: everything is refused until the ${what} ends (by the calendar on ${until}, UTC). ` +
  'What was accepted before is kept, and goes on by itself then. Take a larger plan to go on now.';

const FULL =
  'the database is full: what is new is refused until there is room. Purge dead letters or queues that nobody needs, or take a ' +
  'larger database. Some services refuse every script then, purges and deliveries too: there only a larger plan helps.';

/** By the phrase to which a refusal was reduced: refusal.ts has them. */
const WORDS: [phrase: RegExp, words: (now: number) => string][] = [
  [/^max requests limit/, (now) => usedUp('month', nextMonth(now))],
  [/^max daily request/, (now) => usedUp('day', day(now + 86_400_000))],
  [/^(OOM|DB capacity)/, () => FULL],
  [/^max single record/, () => 'one list or set is full, and takes nothing new. Purge what nobody needs of it.'],
  [
    /^NOPERM/,
    () => 'the token may not write. UPSTASH_REDIS_REST_TOKEN has to be the one that may, not the read-only one.',
  ],
  [/^READONLY/, () => 'it is a replica, which takes no writes. UPSTASH_REDIS_REST_URL has to be that of the primary.'],
  [
    /^(WRONGPASS|NOAUTH)/,
    () => 'the token is not known: is UPSTASH_REDIS_REST_TOKEN that of this database? Or the service has a bad hour.',
  ],
  [/^HTTP 404/, () => 'there is no database at this address: it was deleted, or archived because nobody used it.'],
];

/** @returns undefined where there is nothing more to say than the phrase does */
export function wordsFor(phrase: string, now: number): string | undefined {
  return WORDS.find(([known]) => known.test(phrase))?.[1](now);
}
