// The files of a deployment: nothing in them is for one machine, and one that cannot work is refused before it is there.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CloudflareApi, startCloudflareApi } from './support/cloudflare-api.ts';

/** On a machine that does much else; usually it takes four seconds. */
const WRANGLER_MS = 90_000;

const TOML = readFileSync('wrangler.toml', 'utf8');
const settings = TOML.split('\n').filter((line) => !line.startsWith('#'));
const [, list = '[]'] = /^required = (\[.*\])$/m.exec(TOML) ?? [];
const required: string[] = JSON.parse(list);
const [, table = ''] = /^\[vars\]\n(.*?)\n\n/ms.exec(TOML) ?? [];
const vars = [...table.matchAll(/^(\w+) = /gm)].map(([, name = '']) => name);

describe('wrangler.toml', () => {
  test('S10 requires what no deployment works without, and has no address in it: the database is told as a secret', () => {
    expect(required).toEqual(['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN', 'SLUICE_TOKEN']);
    expect(settings.join('\n')).not.toMatch(/https?:|localhost|\b127\.|\b192\.168\.|\b10\.\d/);
  });

  test('S3 gives versions of before no addresses of their own, on which tokens go on that were taken out', () => {
    expect(settings).toContain('preview_urls = false');
  });
});

describe("Cloudflare's deploy button", () => {
  test('S12 asks for what is required, and proposes nothing: what stands in the form would be deployed', () => {
    const form = readFileSync('.dev.vars.example', 'utf8').split('\n');
    const lines = form.filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toEqual(required.map((name) => `${name}=`));
  });

  test('S12 describes each setting that it asks for, and finds the scripts that build and deploy', () => {
    const { cloudflare, scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(Object.keys(cloudflare.bindings)).toEqual([...required, ...vars]);
    for (const { description } of Object.values<{ description: string }>(cloudflare.bindings)) {
      expect(description).toMatch(/\w{3}/);
    }
    expect(scripts).toMatchObject({ build: expect.any(String), deploy: 'wrangler deploy' });
  });
});

describe('a deploy from an empty clone', () => {
  let folder: string;
  let api: CloudflareApi;

  beforeAll(async () => {
    api = await startCloudflareApi();
    folder = await mkdtemp(join(tmpdir(), 'sluice-deployment-'));
    for (const name of ['package.json', 'tsconfig.json', 'functions', 'scripts', 'src'])
      await cp(name, join(folder, name), { recursive: true });
    await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  });
  afterAll(async () => {
    await api.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** @returns what wrangler said, and whether it was content */
  async function wrangler(...args: string[]): Promise<{ ok: boolean; said: string }> {
    const command = [resolve('node_modules/wrangler/bin/wrangler.js'), 'deploy', ...args];
    const options = {
      timeout: WRANGLER_MS,
      killSignal: 'SIGKILL' as const,
      cwd: folder,
      env: { ...process.env, ...api.env },
    };
    return new Promise((done) => {
      execFile(process.execPath, command, options, (error, out, err) => done({ ok: error === null, said: out + err }));
    });
  }

  test('S10 is refused without its secrets, which it names, and uploads nothing', async () => {
    await writeFile(join(folder, 'wrangler.toml'), TOML);
    const { ok, said } = await wrangler();
    expect(ok).toBe(false);
    expect(said).toContain(`The following required secrets have not been set: ${required.join(', ')}`);
    expect(said).toContain('--secrets-file');
    expect(api.asked.filter(({ call }) => call.startsWith('PUT'))).toEqual([]);
  }, 100_000);

  test('S12 goes up with its secrets as one version, without an address for it alone, and with all that may be uncommented', async () => {
    const optional = /^# (?=\[|\w+ = )/gm;
    await writeFile(join(folder, 'wrangler.toml'), TOML.replaceAll(optional, ''));
    const values = required.map((name) => `${name}="of ${name}"\n`);
    await writeFile(join(folder, '.prod.vars'), values.join(''));
    const { ok, said } = await wrangler('--secrets-file', '.prod.vars');
    expect([ok, said]).toEqual([true, expect.stringContaining('Uploaded sluice')]);
    expect(said).not.toMatch(/warning/i);
    const uploads = api.asked.filter(({ call }) => call === 'PUT /workers/scripts/sluice');
    expect(uploads).toHaveLength(1);
    const { bindings, ...rest } = JSON.parse(/^\{"main_module".*$/m.exec(uploads[0]?.body ?? '')?.[0] ?? '{}');
    const stored = required.map((name) => ({ name, type: 'secret_text', text: `of ${name}` }));
    expect(bindings).toEqual(expect.arrayContaining([...stored, expect.objectContaining({ name: 'RATE_LIMITER' })]));
    expect(rest).toMatchObject({
      placement: { region: 'aws:us-east-1' },
      limits: { cpu_ms: 10_000 },
      observability: { enabled: true, head_sampling_rate: 0.1, logs: { invocation_logs: false } },
    });
    const addresses = api.asked.filter(({ call }) => call.startsWith('POST') && call.endsWith('/subdomain'));
    expect(addresses.map(({ body }) => JSON.parse(body))).toEqual([{ enabled: true, previews_enabled: false }]);
  }, 100_000);
});
