/** Schedules of the demo, put in over the API beside the one that stands in the code: an interval, a cron, a paused one. */
import type { Api } from './api.ts';

const SCHEDULES: Record<string, object> = {
  'stock-check': { queue: 'reports', every: '30s', body: { report: 'inventory', month: '2026-01', pages: 11 } },
  'nightly-invoices': {
    queue: 'reports',
    cron: '15 2 * * *',
    tz: 'America/New_York',
    body: { report: 'invoices', month: '2026-01', pages: 48 },
  },
  'payroll-export': { queue: 'reports', cron: '0 6 28 * *', body: { report: 'payroll', month: '2026-01', pages: 7 } },
};
const PAUSED = 'payroll-export';

export async function putSchedules(api: Api): Promise<void> {
  for (const [id, schedule] of Object.entries(SCHEDULES)) await api('PUT', `/v1/schedules/${id}`, schedule);
  await api('POST', `/v1/schedules/${PAUSED}/pause`);
}
