/** `npm run check:bundle`: the Worker and the dashboard build, and stay small. */

import { buildBundle, gzipKiB } from '../src/dev/bundle.ts';
import { pageKiB } from './assets/size.ts';

const MOST_KIB = 130;
/** 150 KB. */
const MOST_PAGE_KIB = 146;

const size = gzipKiB(await buildBundle());
console.log(`bundle: ${size.toFixed(1)} KiB gzip of ${MOST_KIB}`);
const page = await pageKiB();
console.log(`dashboard: ${page.toFixed(1)} KiB gzip of ${MOST_PAGE_KIB}`);
if (size > MOST_KIB || page > MOST_PAGE_KIB) process.exitCode = 1;
