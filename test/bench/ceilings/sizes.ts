/** How far a run of the ceilings goes, and whether the machine has the memory for it. Pure but for what it is given. */
import { readFileSync } from 'node:fs';
import { freemem } from 'node:os';

const UNITS = { '': 1, k: 1e3, M: 1e6 } as const;
const LEAST = 10_000;
const MOST = 20_000_000;

/** @param text `10M`, `100k` @throws RangeError */
export function sizeOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([kM]?)$/.exec(text) ?? [];
  const size = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (digits !== '' && size >= LEAST && size <= MOST) return size;
  throw new RangeError(`--to must be 10k to 20M; got ${JSON.stringify(text)}`);
}

/** From a thousand on, by hundreds, then by tens: 1k, 100k, 1M, 10M. */
export function sizesTo(most: number): number[] {
  return [1_000, 100_000, 1_000_000, 10_000_000].filter((size) => size < most).concat(most);
}

/** What a message takes where it takes most: a dead letter has an envelope, a place, and a failure. */
const BYTES = 900;
/** For what else runs here: the emulator, what measures, and Redis' table of keys, which is there twice while it grows. */
const BESIDE = 1.5 * 2 ** 30;

const bytesFor = (sizes: number[]) => sizes.reduce((sum, size) => sum + size, 0) * BYTES + BESIDE;

/** What processes can still have without swapping. */
function availableBytes(): number {
  try {
    const [, kib = ''] = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
    return Number(kib) * 1_024 || freemem();
  } catch {
    return freemem(); // no Linux
  }
}

/** @throws Error that says how much is missing */
export function checkMemory(sizes: number[], available = availableBytes()): void {
  const needed = bytesFor(sizes);
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  if (needed > available) {
    throw new Error(
      `that needs ${gib(needed)} GiB of memory, and ${gib(available)} are free: give a smaller --to, or wait`,
    );
  }
}
