// The public URL of a deployment in this process: what comes there is an invocation of its own.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OwnUrl {
  url: string;
  /** From now on it answers. */
  serve(answer: (request: Request) => Promise<Response>): void;
  /** The paths that were called. */
  called: string[];
  close(): void;
}

export async function openOwnUrl(): Promise<OwnUrl> {
  const called: string[] = [];
  let answer = async (_: Request) => new Response(null, { status: 503 });
  const server = createServer(async ({ method = '', url = '', headers }, response) => {
    called.push(url);
    const given = Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, value]] : [],
    );
    const request = new Request(`http://${headers.host}${url}`, { method, headers: given as [string, string][] });
    const answered = await answer(request).catch(() => undefined);
    if (!answered) return void response.destroy();
    response.writeHead(answered.status).end(await answered.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    called,
    serve(given) {
      answer = given;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
