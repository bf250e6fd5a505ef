/** `sluice token`: makes a token for the API. It talks to nobody. */
import type { Command } from 'commander';
import { BadSettings } from '../../errors.ts';
import { UsageError } from '../failure.ts';
import { explainToken, newToken, type TokenFlags } from '../new-token.ts';
import { examples } from '../options.ts';
import { openOutput } from '../output.ts';
import { settingsOf } from '../settings.ts';

export function addToken(program: Command): void {
  const command = program
    .command('token')
    .description('make a token, and say what goes where')
    .option('--name <name>', 'for logs, and to tell tokens apart (default: a new one)')
    .option('--scopes <list>', 'of enqueue,receive,admin,tick', 'enqueue')
    .option('--queues <list>', 'names, or beginnings with * behind them', '*')
    .addHelpText('after', examples('sluice token --name ci --scopes enqueue,receive --queues reports,mail.*'))
    .action((flags: TokenFlags) => {
      try {
        const made = newToken(flags);
        openOutput(settingsOf(command).json).show(made, () => explainToken(made));
      } catch (error) {
        throw error instanceof BadSettings ? new UsageError(error.message) : error;
      }
    });
}
