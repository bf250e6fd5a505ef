/** The emulator in a process of its own, as a server would be: `emulator-process.ts <redis url>`. It ends with its parent. */
import { startEmulator } from '../../src/dev/emulator/server.ts';

const emulator = await startEmulator({ url: process.argv[2] ?? '', token: 'bench' });
process.send?.({ url: emulator.url });
process.on('message', () => process.send?.({ requests: emulator.requests() }));
process.on('disconnect', () => process.exit());
