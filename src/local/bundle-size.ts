/** `npm run check:bundle`: the Worker builds, and stays small. */
import { buildBundle, gzipKiB } from './bundle.ts';

const MOST_KIB = 100;

const size = gzipKiB(await buildBundle());
console.log(`bundle: ${size.toFixed(1)} KiB gzip of ${MOST_KIB}`);
if (size > MOST_KIB) process.exitCode = 1;
