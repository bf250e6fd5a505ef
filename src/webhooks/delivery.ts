/** Deliveries: by what a source's request is known when it comes again, and which of its headers are kept. */
import type { Bytes } from '../formats/bytes.ts';
import { shortDigest } from '../formats/digest.ts';
import { valueAt } from './field.ts';
import type { WebhookRequest } from './scheme.ts';
import type { AnySource } from './source.ts';

const MAX_ID_LENGTH = 256;
/** As the producer allows. */
const MAX_HEADER_LENGTH = 4_096;

/** Safe for a dedup key, whatever the provider sends: the source with the delivery's id, or with the body where it has none. */
export async function deliveryKey(
  source: AnySource,
  arrived: WebhookRequest,
  signedId: string | undefined,
): Promise<string> {
  const id = readId(source, arrived, signedId);
  const name = id === undefined ? await bodyDigest(arrived.bytes) : `id ${id}`;
  return shortDigest(`${source.name}\n${name}`);
}

/** A signed id goes before one that anybody could change, unless the source says where to look. */
function readId({ ids }: AnySource, arrived: WebhookRequest, signedId: string | undefined): string | undefined {
  const texts = ids === undefined ? [signedId] : ids.map((place) => valueAt(place, arrived));
  return texts.find((id): id is string => typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH);
}

async function bodyDigest(bytes: Bytes): Promise<string> {
  return `body ${String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))}`;
}

/** Those of the source's list, and which source it is. */
export function pickForwardedHeaders({ name, forwardHeaders }: AnySource, headers: Headers): Record<string, string> {
  const kept = forwardHeaders.map((header) => [header, headers.get(header)]);
  const given = kept.filter(([, value]) => value && value.length <= MAX_HEADER_LENGTH);
  return { ...Object.fromEntries(given), 'sluice-source': name };
}
