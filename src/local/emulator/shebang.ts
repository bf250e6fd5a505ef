/**
 * The one difference between a script for the service and a script for Redis:
 * a first line `#!lua flags=allow-key-locking`, which only the service takes.
 *
 * The line is emptied, not removed, so that line numbers in errors stay; the
 * digest of the text as the caller has it is remembered for its EVALSHA.
 */
import { createHash } from 'node:crypto';
import { nameOf } from './commands.ts';
import type { Argument, Reply } from './reply.ts';

export interface Shebangs {
  /** The command as Redis understands it. */
  strip(command: Argument[]): Argument[];
  /** The reply as the caller expects it: its own digest for the text it loaded. */
  restore(command: Argument[], reply: Reply): Reply;
}

export function createShebangs(): Shebangs {
  const digests = new Map<string, string>(); // of the flagged text -> of the text given to Redis
  const known = (digest: Argument) => digests.get(String(digest).toLowerCase()) ?? digest;
  const text = (script: Argument) => {
    const plain = withoutFlag(script);
    if (plain !== script) digests.set(sha1(script), sha1(plain));
    return plain;
  };
  return {
    strip: (command) => {
      const [first = '', second = '', ...rest] = command;
      const name = nameOf(command);
      if (name === 'EVAL' || name === 'EVAL_RO') return [first, text(second), ...rest];
      // Copying a batch of arguments costs more than asking whether there is anything to replace.
      if (name === 'EVALSHA' || name === 'EVALSHA_RO') {
        return digests.size === 0 ? command : [first, known(second), ...rest];
      }
      if (name !== 'SCRIPT') return command;
      const loads = String(second).toUpperCase() === 'LOAD';
      return [first, second, ...rest.map(loads ? text : known)];
    },
    restore: (command, reply) => {
      const [, second = '', script = ''] = command;
      if ('error' in reply || nameOf(command) !== 'SCRIPT' || String(second).toUpperCase() !== 'LOAD') return reply;
      return withoutFlag(script) === script ? reply : { result: Buffer.from(sha1(script)) };
    },
  };
}

function withoutFlag(script: Argument): Argument {
  const source = String(script);
  if (!source.startsWith('#!lua')) return script;
  const end = source.indexOf('\n');
  const line = end < 0 ? source : source.slice(0, end);
  if (!line.includes('allow-key-locking')) return script;
  const flags = (/flags=(\S*)/.exec(line)?.[1] ?? '').split(',').filter((flag) => flag !== 'allow-key-locking');
  const kept = flags.join(',') === '' ? '' : `#!lua flags=${flags.join(',')}`;
  return end < 0 ? kept : kept + source.slice(end);
}

function sha1(script: Argument): string {
  return createHash('sha1').update(script).digest('hex');
}
