/** What most commands begin with: the deployment they talk to, and where their answer goes. */
import type { Command } from 'commander';
import { type Admin, openAdmin } from '../client/admin.ts';
import { type Client, createClient } from '../client/index.ts';
import { createTransport, type Fetch } from '../client/transport.ts';
import { nameMissingRoutes } from './missing-route.ts';
import { type Output, openOutput } from './output.ts';
import { settingsOf, tokenOf, urlOf } from './settings.ts';
import { visible } from './visible.ts';

export interface Connection {
  url: string;
  /** Its errors besides SluiceError: MissingRoute. */
  admin: Admin;
  client: Client;
  out: Output;
}

/** Says, once for the same ones, which shards an answer is without. */
function tellAway(out: Output): Fetch {
  let told = '';
  return async (url, init) => {
    const answer = await fetch(url, init);
    const away = answer.headers.get('sluice-away') ?? '';
    if (away !== '' && away !== told) out.say(visible(`warning: without what is on ${away}: no answer from there`));
    told = away || told;
    return answer;
  };
}

const REPEAT = { times: 3, baseMs: 200, maxMs: 5_000 };

/** @throws UsageError where there is no URL or no token */
export function connect(command: Command): Connection {
  const settings = settingsOf(command);
  const url = urlOf(settings);
  const out = openOutput(settings.json);
  const options = { url, token: tokenOf(settings), repeat: REPEAT, fetch: tellAway(out) };
  if (settings.isTokenShown) {
    out.say("warning: a token on the command line shows in the process list and the shell's history; use SLUICE_TOKEN");
  }
  return { url, admin: openAdmin(nameMissingRoutes(createTransport(options))), client: createClient(options), out };
}
