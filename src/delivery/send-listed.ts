/** Sending where nothing tells which address a name leads to, as on edge runtimes: to hosts that the deployment has listed, and no other. */
import { HeldBack } from '../errors.ts';
import type { AddressRules } from '../formats/address.ts';
import { type Send, sendByFetch } from './send.ts';

export function chooseSend({ local, hosts }: AddressRules): Send {
  if (local || hosts.length > 0) return sendByFetch; // the URL was judged by that list
  return async () => {
    throw new HeldBack('this runtime cannot guard deliveries: list in SLUICE_DESTINATION_HOSTS where they may go');
  };
}
