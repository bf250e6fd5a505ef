/** How a call of the command line begins and ends: the exit code, and one message instead of a stack trace. */
import { CommanderError } from 'commander';
import { describeError, EXIT, exitCodeOf } from './failure.ts';
import { buildProgram } from './program.ts';

/** @param args those after the program's name */
export async function main(args: string[]): Promise<void> {
  process.stdout.on('error', endQuietly);
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = ['commander.helpDisplayed', 'commander.version'].includes(error.code) ? EXIT.ok : EXIT.usage; // it has said what is wrong
      return;
    }
    process.stderr.write(`${describeError(error, program.opts<{ json?: true }>().json === true)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** Whoever read the output has seen enough, as with `sluice peek reports | head -1`. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
}
