/** Failure groups: dead letters by the cause of their deaths. Pure. */

/** Why one dead letter died. */
export interface DeadLetter {
  id: string;
  /** Dead since, epoch ms. */
  at: number;
  kind: string;
  text: string;
}

export interface CauseGroup {
  kind: string;
  /** The text of the newest. */
  text: string;
  count: number;
  /** The oldest and the newest, epoch ms. */
  firstAt: number;
  lastAt: number;
  ids: string[];
}

/** @returns the most frequent first, each with its ids in the order given */
export function groupCauses(letters: DeadLetter[]): CauseGroup[] {
  const groups = new Map<string, CauseGroup>();
  for (const { id, at, kind, text } of letters) {
    const alike = `${kind} ${withoutNumbers(text)}`;
    const group = groups.get(alike) ?? { kind, text, count: 0, firstAt: at, lastAt: at, ids: [] };
    groups.set(alike, group);
    group.ids.push(id);
    group.count += 1;
    group.firstAt = Math.min(group.firstAt, at);
    if (at >= group.lastAt) Object.assign(group, { lastAt: at, text });
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count || b.lastAt - a.lastAt);
}

/** Ids, counts and instants differ from message to message where the reason does not. */
function withoutNumbers(text: string): string {
  return text.replace(/[\w-]*\d[\w-]*/g, '#');
}
