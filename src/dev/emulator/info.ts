/** INFO as the service has it: six sections, its version, and what is used of the limits that there are. Pure. */
import type { Limits } from './plan.ts';
import type { Usage } from './usage.ts';

const SECTIONS = new Set(['server', 'clients', 'memory', 'stats', 'cluster', 'keyspace']);

/** @param info Redis' own */
export function serviceInfo(info: string, limited?: { limits: Limits; usage: Usage }): string {
  const own = limited ? ownLines(limited) : {};
  return info
    .split(/^(?=# )/m)
    .flatMap((section) => {
      const [head = '', ...lines] = section.split('\r\n').filter((line) => line !== '');
      const name = head.slice(2).toLowerCase();
      if (!SECTIONS.has(name)) return [];
      const ours = own[name] ?? [];
      const others = lines.filter((line) => !ours.some((replaced) => nameOf(replaced) === nameOf(line)));
      return [[head, ...ours, ...others, ''].join('\r\n')];
    })
    .join('\r\n');
}

const nameOf = (line: string) => line.slice(0, line.indexOf(':'));

function ownLines({ limits, usage }: { limits: Limits; usage: Usage }): Record<string, string[]> {
  return {
    server: ['upstash_version:emulator'],
    memory: [`used_memory:${usage.bytes}`, `maxmemory:${limits.capacityBytes ?? 0}`],
    stats: [`total_commands_processed:${usage.commands}`],
  };
}
