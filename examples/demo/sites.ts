/** Local servers that stand for the sites of the monitor scenario: each is up, or down in its own way. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `failing` answers 500, `hanging` takes the request and never answers, `refusing` takes no connection. */
export type SiteState = 'up' | 'failing' | 'hanging' | 'refusing';

export interface Site {
  name: string;
  url: string;
  state(): SiteState;
  become(state: SiteState): Promise<void>;
  close(): Promise<void>;
}

export async function startSite(name: string): Promise<Site> {
  let state: SiteState = 'up';
  const server = createServer((_, response) => {
    if (state !== 'hanging') response.writeHead(state === 'up' ? 200 : 500).end();
  });
  const port = await listen(server, 0);
  return {
    name,
    url: `http://127.0.0.1:${port}/`,
    state: () => state,
    async become(next) {
      const was = state;
      state = next;
      if (next === 'refusing') await close(server);
      else if (was === 'refusing') await listen(server, port);
    },
    close: () => close(server),
  };
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
