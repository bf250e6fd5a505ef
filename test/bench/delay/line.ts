/**
 * What is on its way: each piece arrives as long after it was sent as the line is, in the order in which it was sent, whatever it carries.
 * Pure but for what it is given.
 */

/** Calls back when that instant has come. One wait at a time. */
type WaitUntil = (at: number, then: () => void) => void;

/** So many that have arrived are kept in the list before it is cut. */
const KEPT = 1_000;

export interface Line {
  /** Of what is sent from now on. What is under way already is not overtaken. */
  oneWayMs: number;
  send(deliver: () => void): void;
}

export function openLine(now: () => number, waitUntil: WaitUntil): Line {
  const underWay: { at: number; deliver: () => void }[] = [];
  let first = 0; // what stands before it has arrived
  let last = 0;
  const arrive = () => {
    const until = now();
    for (; first < underWay.length && (underWay[first]?.at ?? 0) <= until; first++) underWay[first]?.deliver();
    if (first === underWay.length) {
      underWay.length = first = 0;
      return;
    }
    if (first > KEPT) {
      underWay.splice(0, first);
      first = 0;
    }
    waitUntil(underWay[first]?.at ?? 0, arrive);
  };
  const line: Line = {
    oneWayMs: 0,
    send(deliver) {
      if (line.oneWayMs === 0 && underWay.length === 0) return deliver();
      last = Math.max(last, now() + line.oneWayMs);
      if (underWay.push({ at: last, deliver }) === 1) waitUntil(last, arrive);
    },
  };
  return line;
}
