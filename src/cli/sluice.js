#!/usr/bin/env node
// The bin. On a Node that takes TypeScript as it is, it runs the command line; on an older one it hands over to the Node
// that `npm ci` brings. Plain JavaScript, so that the older one can read at least this.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module'; // not by name: Node 20 has not all of it
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const brought = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

if (process.features.typescript) {
  module.enableCompileCache(); // else each call spends a fifth of a second on taking the types away
  await import('./bin.ts');
} else if (existsSync(brought)) {
  const child = spawn(brought, process.argv.slice(1), { stdio: 'inherit' });
  process.on('SIGINT', () => {}); // a terminal tells the child too
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
} else {
  process.stderr.write(
    `error: sluice needs Node 22.18 or later and runs on ${process.version}; in its repository, \`npm ci\` brings one\n`,
  );
  process.exitCode = 1;
}
