/** What most commands begin with: the deployment they talk to, and where their answer goes. */
import type { Command } from 'commander';
import { type Admin, openAdmin } from '../client/admin.ts';
import { type Client, createClient } from '../client/index.ts';
import { createTransport } from '../client/transport.ts';
import { nameMissingRoutes } from './missing-route.ts';
import { type Output, openOutput } from './output.ts';
import { settingsOf, tokenOf, urlOf } from './settings.ts';

export interface Connection {
  url: string;
  /** Its errors besides SluiceError: MissingRoute. */
  admin: Admin;
  client: Client;
  out: Output;
}

const REPEAT = { times: 3, baseMs: 200, maxMs: 5_000 };

/** @throws UsageError where there is no URL or no token */
export function connect(command: Command): Connection {
  const settings = settingsOf(command);
  const url = urlOf(settings);
  const options = { url, token: tokenOf(settings), repeat: REPEAT };
  const out = openOutput(settings.json);
  if (settings.isTokenShown) {
    out.say("warning: a token on the command line shows in the process list and the shell's history; use SLUICE_TOKEN");
  }
  return { url, admin: openAdmin(nameMissingRoutes(createTransport(options))), client: createClient(options), out };
}
