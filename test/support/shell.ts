// Programs that tests call: bash without anybody's profile, and none of them for longer than a test may take.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A call that waits in the thread of the test keeps its time-out from being seen: such a one gets a time of its own. */
export const AT_MOST = { timeout: 20_000, killSignal: 'SIGKILL' } as const;

/** What bash would read first takes time, and changes what is seen. */
export async function bash(script: string, env: Record<string, string | undefined> = {}): Promise<string> {
  const quiet = { ...process.env, ...env, BASH_ENV: undefined, ENV: undefined };
  const { stdout } = await promisify(execFile)('bash', ['--noprofile', '--norc', '-c', script], {
    ...AT_MOST,
    env: quiet,
  });
  return stdout;
}
