/** Settings that all commands share: where the deployment is, the token, and the form of the answer. */
import type { Command } from 'commander';
import { UsageError } from './failure.ts';

export interface Settings {
  url: string | undefined;
  token: string | undefined;
  json: boolean;
  /** The token was given as an option. */
  isTokenShown: boolean;
}

export function addSettings(program: Command): void {
  program
    .option('--url <url>', 'the deployment, such as https://sluice.example.workers.dev (default: SLUICE_URL)')
    .option('--token <token>', 'a token for it (default: SLUICE_TOKEN, which keeps it out of the process list)')
    .option('--json', 'JSON on stdout: one value, or a value on each line where there is no end');
}

/** The options win over the environment. An empty variable is none. */
export function settingsOf(command: Command, env: Record<string, string | undefined> = process.env): Settings {
  const { url, token, json } = command.optsWithGlobals<{ url?: string; token?: string; json?: boolean }>();
  return {
    url: url ?? (env.SLUICE_URL || undefined),
    token: token ?? (env.SLUICE_TOKEN || undefined),
    json: json === true,
    isTokenShown: token !== undefined,
  };
}

/** @returns without the slash at its end. @throws UsageError where there is none, or it is none */
export function urlOf({ url }: Settings): string {
  if (url === undefined) throw new UsageError('no deployment: give --url, or set SLUICE_URL');
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new UsageError('the URL must begin with https:// or http://');
  if (parsed.username || parsed.password) throw new UsageError('the URL must not hold credentials');
  return url.replace(/\/+$/, '');
}

/** @throws UsageError where there is none, or it cannot be sent; it does not show it */
export function tokenOf({ token }: Settings): string {
  if (token === undefined) throw new UsageError('no token: set SLUICE_TOKEN, or give --token');
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError('the token must be visible ASCII characters');
  return token;
}

/** This machine: what goes there stays here. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
