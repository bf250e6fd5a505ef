// The command line as a process.
import { spawn } from 'node:child_process';

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface CliOptions {
  input?: string;
  env?: Record<string, string>;
  /** Once stdout has this text, the process gets a SIGINT. */
  interruptAt?: string;
}

/** Runs on the Node of these tests. It sees no settings but those given, and its stdin is a pipe. */
export function runCli(args: string[], { input = '', env = {}, interruptAt }: CliOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['src/cli/sluice.js', ...args], {
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  const ended: Ended = { code: null, out: '', err: '' };
  let awaited = interruptAt; // once: a second signal would end it at once
  child.stdout.on('data', (chunk) => {
    ended.out += chunk;
    if (!awaited || !ended.out.includes(awaited)) return;
    awaited = undefined;
    child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk) => (ended.err += chunk));
  child.stdin.on('error', () => {}); // it may end without having read
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ended, code })));
}
