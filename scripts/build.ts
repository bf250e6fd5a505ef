import { buildAssets } from './assets/build.ts';
import { buildScripts } from './lua.ts';

await buildScripts();
await buildAssets();
