/** What most scripts take first. */
import type { Digits } from '../redis/lua/script.ts';

/** The clock is that of the server where it is left empty; tests set one, epoch ms. */
export type Head = [root: string, clock: Digits | ''];
