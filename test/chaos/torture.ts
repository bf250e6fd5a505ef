/** `npm run torture`: reads what it is told, and runs. */
import { readSettings } from './settings.ts';
import { shrinkRecords } from './small-records.ts';

const settings = readSettings(process.argv.slice(2));
if ('say' in settings) {
  (settings.exitCode === 0 ? console.log : console.error)(settings.say);
  process.exitCode = settings.exitCode;
} else {
  if (settings.smallRecords) shrinkRecords(); // what the run imports looks at the texts of scripts
  const { run } = await import('./run.ts');
  await run(settings);
}
