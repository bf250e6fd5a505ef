/** Snapshots: the data of the embedded Redis in a file, a second behind it at most, and all of it when this process ends. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import type { RedisServerState } from 'js-redis-server/core';

type Database = RedisServerState['databases'][number];
type Entry = ReturnType<Database['entriesSnapshot']>[number];

const EVERY_MS = 1_000;

/** Fills the database with what the file has, and keeps the file up to date. */
export function keepSnapshots(database: Database, file: string): { close(): void } {
  for (const { key, value, expiresAt } of entriesIn(file)) {
    database.set(key, value, expiresAt === undefined ? {} : { expiresAt });
  }
  let changed = false;
  const unsubscribe = database.subscribe(() => {
    changed = true;
  });
  const save = () => {
    if (!changed) return;
    changed = false;
    writeFileSync(`${file}.new`, serialize(database.entriesSnapshot()), { mode: 0o600 });
    renameSync(`${file}.new`, file); // whole or not at all, whenever this process is killed
  };
  const timer = setInterval(async () => {
    const turn = await database.turnQueue.waitTurn(); // between scripts
    save();
    turn.release();
  }, EVERY_MS).unref();
  process.once('exit', save); // Miniflare ends this process at a signal without waiting for anybody
  return {
    close() {
      clearInterval(timer);
      unsubscribe();
      process.off('exit', save);
      save();
    },
  };
}

/** None where there is no file, or one that cannot be read: it is a developer's data, and --fresh would be the advice. */
function entriesIn(file: string): Entry[] {
  let entries: Entry[];
  try {
    entries = deserialize(readFileSync(file)) as Entry[];
  } catch {
    return [];
  }
  return entries.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > Date.now());
}
