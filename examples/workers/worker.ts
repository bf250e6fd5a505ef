/** The Worker: the HTTP API and the dashboard at /, and by cron whatever is due. */
export { sluice as default } from './sluice.ts';
