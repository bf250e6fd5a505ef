/** The monitor scenario's result: whether each turn of the ring checked each site once, and each outage was alerted once. Pure. */
import { gridOf } from './report.ts';

/** One site in one check, as the handler saw it. */
export interface Checked {
  site: string;
  fault?: string;
}

/** A full turn of the ring: all its checks, and the sites that were down meanwhile. */
export interface Turn {
  checks: Checked[];
  down: string[];
}

export interface SiteFigures {
  checks: number;
  failures: number;
  outages: number;
  alerts: number;
}

export interface MonitorFigures {
  sites: Record<string, SiteFigures>;
  turns: number;
  checks: number;
  /** Sites that a turn left out, and that a turn took more than once. */
  missed: number;
  repeated: number;
  /** Checks whose verdict is not what the site was. */
  misjudged: number;
  outages: number;
  alerts: number;
  /** Sites whose alerts are not as many as their outages. */
  wronglyAlerted: number;
}

/**
 * @param sites each site's name by its URL
 * @param alerted the site's URL of each alert, once for each message however often it was delivered
 */
export function figuresOfTurns(sites: Map<string, string>, turns: Turn[], alerted: string[]): MonitorFigures {
  const figures: MonitorFigures = {
    sites: {},
    turns: turns.length,
    checks: turns.reduce((sum, { checks }) => sum + checks.length, 0),
    ...{ missed: 0, repeated: 0, misjudged: 0, outages: 0, wronglyAlerted: 0 },
    alerts: alerted.length,
  };
  for (const [url, name] of sites) {
    const of = turns.map(({ checks, down }) => ({
      checks: checks.filter(({ site }) => site === url),
      down: down.includes(url),
    }));
    const outages = of.filter(({ down }, i) => down && !of[i - 1]?.down).length;
    const alerts = alerted.filter((site) => site === url).length;
    const all = of.flatMap(({ checks }) => checks);
    const failures = all.filter(({ fault }) => fault !== undefined).length;
    figures.sites[name] = { checks: all.length, failures, outages, alerts };
    figures.missed += of.filter(({ checks }) => checks.length === 0).length;
    figures.repeated += of.filter(({ checks }) => checks.length > 1).length;
    figures.misjudged += of.flatMap(({ checks, down }) =>
      checks.filter(({ fault }) => down !== (fault !== undefined)),
    ).length;
    figures.outages += outages;
    figures.wronglyAlerted += outages === alerts ? 0 : 1;
  }
  return figures;
}

/** Whether the monitor did what it is for. */
export function isSound(figures: MonitorFigures): boolean {
  const { missed, repeated, misjudged, wronglyAlerted, outages, alerts } = figures;
  return missed + repeated + misjudged + wronglyAlerted === 0 && outages === alerts;
}

/** Sites that were always up share a row. */
export function tableOfSites(sites: Record<string, SiteFigures>): string {
  const rows = Object.entries(sites).map(([name, { checks, failures, outages, alerts }]) => ({
    name,
    numbers: [checks, failures, outages, alerts],
  }));
  const isQuiet = ({ numbers }: (typeof rows)[number]) => numbers.slice(1).every((number) => number === 0);
  const quiet = rows.filter(isQuiet);
  const sum = quiet.reduce((total, { numbers: [checks = 0] }) => total + checks, 0);
  const shown = [
    ...rows.filter((row) => !isQuiet(row)),
    ...(quiet.length > 0 ? [{ name: `${quiet.length} others`, numbers: [sum, 0, 0, 0] }] : []),
  ];
  return gridOf(
    ['site', 'checks', 'failures', 'outages', 'alerts'],
    shown.map(({ name, numbers }) => [name, ...numbers.map(String)]),
  );
}
