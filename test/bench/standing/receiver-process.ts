/** A receiver that takes its time, in a process of its own: `receiver-process.ts <ms>`. It counts who came, and ends with its parent. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const ms = Number(process.argv[2]);
const times = new Map<string, number>();
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  times.set(request.url ?? '', (times.get(request.url ?? '') ?? 0) + 1);
  setTimeout(() => response.end(), ms);
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
});
process.on('message', () => {
  const doubled = [...times.values()].filter((count) => count > 1).length;
  process.send?.({ distinct: times.size, doubled });
});
process.on('disconnect', () => process.exit());
