/** How so many drains come to work at once on a backlog to which nothing is added. */
import { type Settings, takesSetting } from '../contenders/sluice-settings.ts';

export interface Way {
  name: 'asked' | 'drainers' | 'url';
  told: string;
  /** Of a deployment with so many drains; undefined where this Sluice has no such setting. */
  settings(drains: number, url: string): Settings | undefined;
  /** Whether the binding DRAINER is there. */
  isBound: boolean;
}

const bounded = (drains: number): Settings | undefined =>
  takesSetting('SLUICE_DRAINERS', String(drains)) ? { SLUICE_DRAINERS: String(drains) } : undefined;

export const WAYS: Way[] = [
  {
    name: 'asked',
    told: 'so many callers, each asks for a drain again when its last has ended',
    settings: () => ({}),
    isBound: false,
  },
  {
    name: 'drainers',
    told: 'one cron, DRAINER bound, SLUICE_DRAINERS',
    settings: bounded,
    isBound: true,
  },
  {
    name: 'url',
    told: 'one cron, SLUICE_URL, SLUICE_DRAINERS',
    settings(drains, url) {
      const most = bounded(drains);
      return most && takesSetting('SLUICE_URL', url) ? { ...most, SLUICE_URL: url } : undefined;
    },
    isBound: false,
  },
];
