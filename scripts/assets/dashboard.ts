/** The dashboard's files, built by Vite from src/dashboard: one page, one script, one stylesheet. */
import { build } from 'vite';

/** @returns each file's text by its name */
export async function buildDashboard(root: string): Promise<Record<string, string>> {
  const built = await build({
    root,
    base: './', // the page may lie below a path of another application
    configFile: false,
    logLevel: 'warn',
    mode: 'production',
    // The same file whoever builds it: under a test runner NODE_ENV is another.
    define: { 'process.env.NODE_ENV': '"production"' },
    oxc: { jsx: { runtime: 'automatic', importSource: 'hono/jsx/dom', development: false } },
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false, // its polyfill is a script for browsers that are gone
      assetsInlineLimit: 0, // the page's policy allows no data: URL
      // Names without digests: whoever builds again replaces them, and the platform has browsers ask whether they changed.
      rolldownOptions: { output: { entryFileNames: 'dashboard.js', assetFileNames: 'dashboard[extname]' } },
    },
  });
  const outputs = Array.isArray(built) ? built : [built];
  return Object.fromEntries(
    outputs.flatMap((output) =>
      'output' in output
        ? output.output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)])
        : [],
    ),
  );
}
