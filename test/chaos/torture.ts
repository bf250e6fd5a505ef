/** `npm run torture`: reads what it is told, and runs. */
import { readSettings } from './settings.ts';
import { shrinkRecords } from './small-records.ts';

const settings = readSettings(process.argv.slice(2));
if ('say' in settings) {
  (settings.exitCode === 0 ? console.log : console.error)(settings.say);
  process.exitCode = settings.exitCode;
} else {
  if (settings.smallRecords) shrinkRecords(); // what the run imports looks at the texts of scripts
  if (settings.shards === 1) await (await import('./run.ts')).run(settings);
  else await (await import('./shards/run.ts')).runSharded(settings);
}
