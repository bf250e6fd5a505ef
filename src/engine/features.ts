/**
 * Features: what a deployment may have besides queues. The engine imports none of them: the schedules and functions that createSluice
 * is given bring their own along, so that nothing else is in a bundle.
 */
import type { features as rings } from '../rings/features.ts';
import type { features as schedules } from '../schedules/features.ts';
import type { features as shards } from '../shards/features.ts';
import type { features as topics } from '../topics/features.ts';
import type { features as sources } from '../webhooks/features.ts';

export type Features = Partial<typeof rings & typeof schedules & typeof shards & typeof sources & typeof topics>;

/** A schedule or the function of a route, which brings the features along that it needs. */
export interface FeatureSource {
  readonly features?: Features | undefined;
}

export function collectFeatures(given: Iterable<FeatureSource>): Features {
  return Object.assign({}, ...[...given].map(({ features }) => features));
}
