/** Where the build puts the static files that are deployed beside the Worker's script, as wrangler.toml names it. */
import { join } from 'node:path';

export const ASSETS = join(import.meta.dirname, '../../dist/assets');
