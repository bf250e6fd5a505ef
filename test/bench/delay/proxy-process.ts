/** The proxy that delays in a process of its own: `proxy-process.ts <port>…`. It ends with its parent. */
import { startDelayProxy } from './proxy.ts';

const proxy = startDelayProxy();
const ports = await Promise.all(process.argv.slice(2).map((port) => proxy.to(Number(port))));
process.send?.({ ports });
process.on('message', ({ roundTripMs }: { roundTripMs: number }) => {
  proxy.setRoundTrip(roundTripMs);
  process.send?.({});
});
process.on('disconnect', () => process.exit());
