/** `sluice doctor`: looks at a deployment from outside, and says what to do. */
import type { Command } from 'commander';
import { examine } from '../doctor/examine.ts';
import type { Finding, Status } from '../doctor/finding.ts';
import { openSite } from '../doctor/site.ts';
import { EXIT } from '../failure.ts';
import { examples } from '../options.ts';
import { openOutput } from '../output.ts';
import { settingsOf, tokenOf, urlOf } from '../settings.ts';
import type { Paint, Style } from '../table.ts';
import { visible } from '../visible.ts';

const STYLES: Record<Status, Style> = { ok: 'green', warn: 'yellow', fail: 'red', skip: 'dim' };

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('examine a deployment: what is ok, what is doubtful, what fails, and what to do')
    .option('--repair', 'let the audit mend what it finds')
    .option('--deep', 'let the audit look for each message too: about 10 Redis commands each')
    .addHelpText('after', examples('sluice doctor', 'sluice doctor --json | jq .ok', 'sluice doctor --repair'))
    .action(async ({ repair = false, deep = false }: { repair?: boolean; deep?: boolean }) => {
      const settings = settingsOf(command);
      const token = settings.token === undefined ? undefined : tokenOf(settings);
      const out = openOutput(settings.json);
      const findings: Finding[] = [];
      for await (const found of examine(openSite(urlOf(settings), token), { repair, deep })) {
        findings.push(found);
        if (!out.isJson) await out.emit(found, () => lineOf(found, out.paint));
      }
      const ok = !findings.some(({ status }) => status === 'fail');
      if (out.isJson) out.show({ ok, findings }, () => '');
      if (!ok) process.exitCode = EXIT.failed;
    });
}

function lineOf({ check, status, found, todo }: Finding, paint: Paint): string {
  const line = `${paint(STYLES[status], status.padEnd(4))}  ${check.padEnd(9)}  ${visible(found)}`;
  return todo === undefined ? line : `${line}\n${' '.repeat(17)}${visible(todo)}`;
}
