/** The scripts: each its own file behind the shared chunks that it needs, in the order in which these build on each other. */

import admit from '#lua/admit.lua';
import age from '#lua/age.lua';
import audit from '#lua/audit.lua';
import breaker from '#lua/breaker.lua';
import breakers from '#lua/breakers.lua';
import browse from '#lua/browse.lua';
import cancel from '#lua/cancel.lua';
import causes from '#lua/causes.lua';
import clock from '#lua/clock.lua';
import configure from '#lua/configure.lua';
import count from '#lua/count.lua';
import dead from '#lua/dead.lua';
import due from '#lua/due.lua';
import enqueue from '#lua/enqueue.lua';
import entry from '#lua/entry.lua';
import figures from '#lua/figures.lua';
import fold from '#lua/fold.lua';
import foreign from '#lua/foreign.lua';
import inspect from '#lua/inspect.lua';
import keys from '#lua/keys.lua';
import lane from '#lua/lane.lua';
import lanes from '#lua/lanes.lua';
import lease from '#lua/lease.lua';
import leases from '#lua/leases.lua';
import limits from '#lua/limits.lua';
import locate from '#lua/locate.lua';
import look from '#lua/look.lua';
import named from '#lua/named.lua';
import names from '#lua/names.lua';
import noted from '#lua/noted.lua';
import purge from '#lua/purge.lua';
import recall from '#lua/recall.lua';
import redrive from '#lua/redrive.lua';
import reschedule from '#lua/reschedule.lua';
import ringAdd from '#lua/ring-add.lua';
import ringDrop from '#lua/ring-drop.lua';
import ringList from '#lua/ring-list.lua';
import ringPage from '#lua/ring-page.lua';
import ringRemove from '#lua/ring-remove.lua';
import rotate from '#lua/rotate.lua';
import schedules from '#lua/schedules.lua';
import settle from '#lua/settle.lua';
import since from '#lua/since.lua';
import slots from '#lua/slots.lua';
import stats from '#lua/stats.lua';
import strays from '#lua/strays.lua';
import subscribe from '#lua/subscribe.lua';
import sweep from '#lua/sweep.lua';
import sync from '#lua/sync.lua';
import take from '#lua/take.lua';
import tally from '#lua/tally.lua';
import there from '#lua/there.lua';
import timers from '#lua/timers.lua';
import topic from '#lua/topic.lua';
import totals from '#lua/totals.lua';
import unsubscribe from '#lua/unsubscribe.lua';
import wake from '#lua/wake.lua';
import type { Script } from '../redis/runner.ts';

const script = (name: string, ...chunks: string[]): Script => ({ name, source: chunks.join('\n') });

export const scripts = {
  enqueue: script('enqueue', clock, entry, lane, lease, locate, admit, wake, enqueue),
  // biome-ignore format: a line for each script
  sync: script('sync', clock, entry, lane, lease, limits, breaker, stats, dead, locate, admit, due, timers, settle, take, wake, sync),
  // biome-ignore format: a line for each script
  sweep: script('sweep', clock, entry, lane, lease, foreign, there, since, limits, stats, fold, dead, locate, admit, due, timers, inspect, slots, keys, named, strays, noted, age, sweep),
  // biome-ignore format: a line for each script
  audit: script('audit', clock, entry, lane, lease, foreign, there, since, limits, stats, dead, locate, admit, inspect, slots, keys, noted, audit),
  cancel: script('cancel', clock, entry, lane, lease, limits, locate, cancel),
  figures: script('figures', clock, entry, stats, fold, figures),
  totals: script('totals', clock, entry, stats, fold, totals),
  look: script('look', clock, entry, lane, lease, locate, look),
  count: script('count', clock, entry, lane, lease, foreign, there, since, count),
  names: script('names', clock, entry, lane, names),
  leases: script('leases', clock, entry, lease, foreign, leases),
  causes: script('causes', clock, entry, lease, foreign, causes),
  breakers: script('breakers', clock, breakers),
  browse: script('browse', clock, entry, lane, lease, foreign, lanes, browse),
  purge: script('purge', clock, entry, lane, lease, foreign, limits, lanes, purge),
  configure: script('configure', clock, entry, lane, configure),
  redrive: script('redrive', clock, entry, lane, lease, limits, locate, redrive),
  rotate: script('rotate', clock, entry, rotate),
  ringAdd: script('ring-add', clock, entry, ringAdd),
  ringRemove: script('ring-remove', clock, ringRemove),
  ringPage: script('ring-page', clock, ringPage),
  ringList: script('ring-list', clock, entry, ringList),
  ringDrop: script('ring-drop', clock, ringDrop),
  subscribe: script('subscribe', subscribe),
  unsubscribe: script('unsubscribe', unsubscribe),
  topic: script('topic', clock, entry, topic),
  tally: script('tally', tally),
  reschedule: script('reschedule', clock, entry, lane, lease, locate, admit, wake, reschedule),
  recall: script('recall', clock, recall),
  schedules: script('schedules', clock, schedules),
};
