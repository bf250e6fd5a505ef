// The command line as a process, or on a terminal.
import { spawn, spawnSync } from 'node:child_process';
import { AT_MOST } from './shell.ts';

/** No shell of anybody's, and so nobody's profile. */
const BARE = { PATH: process.env.PATH ?? '' };

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface CliOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Once stdout has this text, the process gets a SIGINT. */
  interruptAt?: string;
}

/** Runs on the Node of these tests. It sees no settings but those given, and its stdin is a pipe. */
export function runCli(args: string[], { input = '', env = {}, interruptAt }: CliOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['src/cli/sluice.js', ...args], {
    env: { ...BARE, ...env },
    ...AT_MOST,
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

/** Whether there is the program that lends a terminal. */
export const terminalPresent =
  spawnSync('script', ['-qec', 'true', '/dev/null'], { ...AT_MOST, env: BARE }).status === 0;

/** Of the terminal that is lent. */
export const COLUMNS = 90;

/** On a terminal, where somebody types once they are asked. Its output is stdout and stderr in one. */
export function runOnTerminal(args: string[], typed: string, env: Record<string, string>): Promise<Ended> {
  const sluice = [process.execPath, 'src/cli/sluice.js', ...args].map((word) => `'${word}'`).join(' ');
  const command = `stty columns ${COLUMNS}; ${sluice}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...BARE, TERM: 'xterm', ...env },
    ...AT_MOST,
  });
  const ended: Ended = { code: null, out: '', err: '' };
  let toType = typed;
  child.stdout.on('data', (chunk) => {
    ended.out += chunk;
    if (!ended.out.includes('[y/N]')) return;
    child.stdin.write(toType);
    toType = '';
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ended, code })));
}
