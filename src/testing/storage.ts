/** The storage of a test: the embedded Redis without a server, so that no socket and no timer stands between the two. */
import type { RedisResult } from 'js-redis-server/core';
import { importPeer } from '../dev/peers.ts';
import { parseRefusal } from '../redis/refusal.ts';
import type { Send } from '../redis/send.ts';
import type { TestClock } from './clock.ts';

/** It holds nothing that would have to be closed. @throws MissingPeer */
export async function openTestStorage(clock: TestClock): Promise<Send> {
  const { ClientSession, createRedisCommandExecutor, RedisServerState } = await importPeer(
    () => import('js-redis-server/core'),
    ['js-redis-server'],
  );
  const server = new RedisServerState({ activeExpiryIntervalMs: false }); // what has expired goes when it is looked at
  const session = new ClientSession({ server, executor: createRedisCommandExecutor() });
  const execute = async ([name = '', ...words]: string[]) => {
    const result = await session.execute(
      name,
      words.map((word) => Buffer.from(word)),
    );
    if (!('value' in result)) throw new TypeError(`${name} answers with a stream`);
    return readReply(result.value);
  };
  let last: Promise<unknown> = Promise.resolve(); // one at a time, as over one connection
  return (command) => {
    const answered = last.then(() => clock.run(() => execute(command)));
    last = answered.catch(() => {});
    return answered;
  };
}

type Value = RedisResult['value'];

/** @returns as the service would have it in JSON. @throws StorageError where Redis refuses */
function readReply(value: Value): unknown {
  if (value.kind === 'error') throw parseRefusal(textOf(value));
  return readValue(value);
}

function readValue(value: Value): unknown {
  switch (value.kind) {
    case 'bulk-string':
    case 'verbatim':
      return value.value?.toString() ?? null;
    case 'array':
    case 'set':
      return value.items.map(readValue);
    case 'null':
    case 'null-array':
      return null;
    case 'error':
      return textOf(value);
    case 'integer':
      return Number(value.value);
    case 'simple-string':
      return value.value;
    default:
      throw new TypeError(`no script here answers with ${value.kind}`);
  }
}

const textOf = ({ code, message }: Extract<Value, { kind: 'error' }>) => (code ? `${code} ${message}` : message);
