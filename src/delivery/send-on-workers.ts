/** Sending on Cloudflare Workers: they reach the public internet, and no network of anybody's, whatever a name resolves to. */
import type { AddressRules } from '../formats/address.ts';
import { type Send, sendByFetch } from './send.ts';

export function chooseSend(_rules: AddressRules): Send {
  return sendByFetch;
}
