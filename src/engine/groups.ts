/**
 * Groups: where connections are limited and there are more than four shards, an invocation drains four of them at most, and has others
 * begun for the rest, as a backlog has further ones. Which shards a drain serves its place says, so each group has places of its own.
 */
import { isWorkers } from '../runtime/runtime.ts';

const MOST_SHARDS = 4;

export interface Groups {
  readonly count: number;
  /** Of a place among all. */
  ofPlace(place: number): number;
  /** The place of a group, as one among all. */
  placeIn(group: number, place: number): number;
  /** The place among those of its group. */
  withinGroup(place: number): number;
  /** Of shards, those of a group. */
  membersOf<Of>(group: number, all: readonly Of[]): Of[];
}

/** Where connections are limited. */
export const countGroups = (shards: number): number => Math.ceil(shards / MOST_SHARDS);

/** @param startsOthers whether a drain can have others begin: without that one has to serve all */
export function openGroups(shards: number, startsOthers: boolean): Groups {
  const count = startsOthers && isWorkers() ? countGroups(shards) : 1;
  return {
    count,
    ofPlace: (place) => place % count,
    placeIn: (group, place) => place * count + group,
    withinGroup: (place) => Math.floor(place / count),
    membersOf: (group, all) => all.filter((_, i) => i % count === group),
  };
}
