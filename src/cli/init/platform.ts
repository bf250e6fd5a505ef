/** The platforms that `sluice init` writes for, and how it sees which one a folder is for. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../failure.ts';
import type { PackageJson } from './package-json.ts';

export const PLATFORMS = ['workers', 'next', 'vercel', 'node', 'lambda', 'bun', 'deno'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Files that only projects of a platform have. No file says that a project is for plain Node. */
const SIGNS: Record<Platform, string[]> = {
  workers: ['wrangler.toml', 'wrangler.json', 'wrangler.jsonc'],
  next: ['next.config.ts', 'next.config.js', 'next.config.mjs'],
  vercel: ['vercel.json', 'vercel.ts'],
  node: [],
  lambda: ['template.yaml', 'samconfig.toml', 'serverless.yml', 'cdk.json', 'sst.config.ts'],
  bun: ['bun.lock', 'bun.lockb', 'bunfig.toml'],
  deno: ['deno.json', 'deno.jsonc', 'deno.lock'],
};

/** Who has one of these has a server of Node, whatever else it is. */
const SERVERS = ['express', 'fastify', 'koa', '@hapi/hapi', '@nestjs/core', '@hono/node-server', 'restify'];

/** @returns the framework of a server that the project has of its own */
export const findServer = ({ dependencies }: PackageJson): string | undefined =>
  SERVERS.find((name) => name in { ...dependencies });

/** @param asked by flags @throws UsageError where it is more than one, or the folder does not say which */
export function choosePlatform(asked: Platform[], folder: string, manifest: PackageJson): Platform {
  const [platform, ...others] = asked.length > 0 ? asked : guessPlatforms(folder, manifest);
  if (platform !== undefined && others.length === 0) return platform;
  const flags = (platforms: readonly Platform[]) => platforms.map((name) => `--${name}`).join(', ');
  if (asked.length > 0) throw new UsageError(`one platform at a time: ${flags(asked)}`);
  throw new UsageError(
    platform === undefined
      ? `nothing in this folder says for which platform it is: say ${flags(PLATFORMS)}`
      : `this folder looks like more than one platform's: say ${flags([platform, ...others])}`,
  );
}

/** A project of Next.js on Vercel is one of Next.js, and Bun as the package manager says nothing of where it runs. */
function guessPlatforms(folder: string, manifest: PackageJson): Platform[] {
  const found = PLATFORMS.filter((platform) => SIGNS[platform].some((file) => existsSync(join(folder, file))));
  if ('next' in { ...manifest.dependencies, ...manifest.devDependencies } && !found.includes('next'))
    found.push('next');
  if (found.length === 0 && findServer(manifest) !== undefined) return ['node'];
  const isNext = found.includes('next');
  return found.filter((platform) => !(platform === 'vercel' && isNext) && !(platform === 'bun' && found.length > 1));
}
