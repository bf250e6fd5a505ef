/** Keys that say more: a message to whose ack another is chained, one with callbacks, and those that follow on them. Pure. */

/** What the key of such a message ends with. */
export const CHAINED = '.chain';
export const WITH_CALLBACKS = '.calls';

export type Ending = 'done' | 'dead';

const numberOf = (key: string) => key.split('.')[1] ?? '';

export const chainedKey = (key: string) => `taken.${numberOf(key)}.chained`;

/** Of the message that follows where this one is done, or dead. */
export const callbackKey = (key: string, ending: Ending) => `taken.${numberOf(key)}.${ending}`;

/** @returns what the message followed on, of which key; undefined where it is no callback's */
export function parseCallback(key: string): { number: string; ending: Ending } | undefined {
  const [, number = '', last] = key.split('.');
  return last === 'done' || last === 'dead' ? { number, ending: last } : undefined;
}

/** @returns the number in the key of a message with callbacks */
export const numberWithCallbacks = (key: string) => (key.endsWith(WITH_CALLBACKS) ? numberOf(key) : undefined);
