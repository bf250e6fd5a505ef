/** The scripts: each its own file behind the shared chunks that it needs, in the order in which these build on each other. */
import type { Script } from './script.ts';
import audit from './scripts/audit.lua';
import cancel from './scripts/cancel.lua';
import clock from './scripts/clock.lua';
import dead from './scripts/dead.lua';
import enqueue from './scripts/enqueue.lua';
import entry from './scripts/entry.lua';
import exchange from './scripts/exchange.lua';
import inspect from './scripts/inspect.lua';
import lane from './scripts/lane.lua';
import locate from './scripts/locate.lua';
import pause from './scripts/pause.lua';
import redrive from './scripts/redrive.lua';
import settle from './scripts/settle.lua';
import sweep from './scripts/sweep.lua';
import take from './scripts/take.lua';
import timers from './scripts/timers.lua';

const script = (name: string, ...chunks: string[]): Script => ({ name, source: chunks.join('\n') });

export const scripts = {
  enqueue: script('enqueue', clock, entry, lane, enqueue),
  exchange: script('exchange', clock, entry, lane, dead, timers, settle, take, exchange),
  sweep: script('sweep', clock, entry, lane, dead, timers, inspect, sweep),
  audit: script('audit', clock, entry, lane, dead, inspect, audit),
  cancel: script('cancel', clock, entry, lane, locate, cancel),
  pause: script('pause', clock, entry, lane, pause),
  redrive: script('redrive', clock, entry, lane, redrive),
};
