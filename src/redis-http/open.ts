/** Opens a connection to the Redis at an address, of whichever kind that is. */
import type { Address } from './address.ts';
import { openCluster } from './cluster.ts';
import { type Opened, openSingle } from './connection.ts';

export function openConnection(address: Address): Opened {
  return address.kind === 'cluster' ? openCluster(address) : openSingle(address);
}
