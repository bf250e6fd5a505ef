/**
 * Names of leases that consumers elsewhere hold. A name says which queues its lease is for, and is all that Redis knows it by:
 * so whoever settles under it must be let into these, and under a name with other queues there is no such lease.
 */
import type { Context } from 'hono';
import { shortDigest } from '../formats/digest.ts';
import { newToken } from '../message/ids.ts';
import { idempotencyKey } from './body.ts';
import type { SluiceEnv } from './context.ts';

/** No queue has this character in its name, and no URL has to encode it. */
const BETWEEN = '~';

export const LEASE_NAME = /^[\w-]{1,64}(~[A-Za-z0-9][A-Za-z0-9_.-]{0,63}){1,20}$/;

export interface NewLease {
  lease: string;
  /** What the caller's Idempotency-Key makes of it: under the same key no lease may begin for other queues. */
  claim?: string;
}

/** A repeated Idempotency-Key gives the same lease, and so what was lost on its way. */
export async function deriveLeaseName(c: Context<SluiceEnv>, queues: string[]): Promise<NewLease> {
  const key = idempotencyKey(c);
  const claim = key === undefined ? undefined : await shortDigest(`${c.get('token').name}\nlease\n${key}`);
  const lease = [claim ?? newToken(), ...[...new Set(queues)].toSorted()].join(BETWEEN);
  return claim === undefined ? { lease } : { lease, claim };
}

/** @returns none where it is no such name */
export function queuesOfLease(name: string): string[] {
  return LEASE_NAME.test(name) ? name.split(BETWEEN).slice(1) : [];
}
