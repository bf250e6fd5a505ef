/** `sluice completion`: a script for a shell, made from the commands themselves. */
import type { Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion-script.ts';
import { examples, oneOf } from '../options.ts';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('a completion script for a shell')
    .argument('<shell>', SHELLS.join(', '), oneOf(SHELLS))
    .addHelpText(
      'after',
      examples(
        'source <(sluice completion bash)',
        'source <(sluice completion zsh)',
        'sluice completion fish > ~/.config/fish/completions/sluice.fish',
      ),
    )
    .action((shell: Shell) => void process.stdout.write(completionScript(shell, program)));
}
