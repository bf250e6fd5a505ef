// The Lua scripts as they are written now, for every run of tests.
import type { TestProject } from 'vitest/node';
import { buildScripts } from '../../scripts/lua.ts';

export default async function setUp(project: TestProject): Promise<void> {
  await buildScripts();
  project.onTestsRerun(buildScripts);
}
