/** What most commands begin with: the deployment they talk to, and where their answer goes. */
import type { Command } from 'commander';
import { type Client, createClient } from '../client/index.ts';
import { type Api, openApi, REPEAT } from './api.ts';
import { type Output, openOutput } from './output.ts';
import { settingsOf, tokenOf, urlOf } from './settings.ts';

export interface Connection {
  api: Api;
  client: Client;
  out: Output;
}

/** @throws UsageError where there is no URL or no token */
export function connect(command: Command): Connection {
  const settings = settingsOf(command);
  const url = urlOf(settings);
  const token = tokenOf(settings);
  const out = openOutput(settings.json);
  if (settings.isTokenShown) {
    out.say("warning: a token on the command line shows in the process list and the shell's history; use SLUICE_TOKEN");
  }
  return { api: openApi(url, token), client: createClient({ url, token, repeat: REPEAT }), out };
}
