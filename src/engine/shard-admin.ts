/** What operators do to shards, as one caller has it: within what its invocation may do. */
import { planLife } from '../drain/life.ts';
import type { Engine } from '../engine.ts';
import { Invocation } from '../runtime/invocation.ts';
import { openShardAdmin, type ShardAdmin } from '../shards/admin.ts';

/** A call answers after so long at the latest, and says whether there is more: whoever made it still waits. */
const STEP_MS = 12_000;

export function openShardAdminOn({ parts, caller }: Engine): ShardAdmin {
  const budget = parts.capacity.budget(planLife(STEP_MS, []), caller?.invocation ?? new Invocation());
  const { isClosing } = budget;
  return openShardAdmin({ fleet: parts.shards.ofBudget(budget), queues: parts.queues, isClosing });
}
