/**
 * Commands per second: a leaky bucket that holds a second's worth. The service refuses nothing above its pace, it delays.
 *
 * A request pays for its commands after it has run, as nobody knows before how many a script makes: the next ones wait for it.
 */
export interface Pace {
  /**
   * @param commands executed so far
   * @param at now, ms
   * @returns how long a request that comes now has to wait
   */
  waitMs(commands: number, at: number): number;
}

export function createPace(perSecond: number): Pace {
  let level = 0;
  let last: { commands: number; at: number } | undefined;
  return {
    waitMs(commands, at) {
      if (last) level = Math.max(0, level - ((at - last.at) / 1_000) * perSecond) + commands - last.commands;
      last = { commands, at };
      return Math.max(0, (level / perSecond - 1) * 1_000);
    },
  };
}
