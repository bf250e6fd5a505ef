/**
 * From scripts as the service takes them to scripts for Redis.
 *
 * A call whose commands are to be looked at runs behind the guard: where storage refuses or has limits, where the script names a
 * command that the service has not, and where its first line says that it locks its keys alone, a flag only the service knows.
 * An EVALSHA is served by the text of its digest, which has to have passed this emulator since the scripts were flushed; one
 * that has not is passed on as it is, and so are functions.
 */
import { createHash } from 'node:crypto';
import type { Argument, Reply, Value } from '../../redis-http/reply.ts';
import { mayWrite, nameOf } from './commands.ts';
import { guardArguments, guarded, namesOthers, type ScriptLimits } from './guard.ts';
import { askedBy, type Refusal, type Refuse } from './refusals.ts';

/** What holds for the scripts of one request. */
export interface Rules {
  /** What storage refuses, whatever its limits. */
  refuse?: Refuse | undefined;
  limits?: ScriptLimits | undefined;
}

/** What Redis is sent for a command, and what its reply then means. */
export interface Prepared {
  command: Argument[];
  read(reply: Reply): Reply;
}

export interface Scripts {
  prepare(command: Argument[], rules: Rules): Prepared;
}

interface Script {
  text: string;
  /** `#!lua flags=allow-key-locking` in its first line: keys that are not declared are refused. */
  isLocked: boolean;
  isGuarded: boolean;
  /** Behind the guard, for Redis. */
  behind: string;
  digest: string;
}

/** @param onceForAll whether a script that Redis has run by its text is known to it from then on: not on a cluster */
export function createScripts(onceForAll: boolean): Scripts {
  const known = new Map<string, Script>(); // by the digest of the text as the caller has it
  const loaded = new Set<Script>();

  function remember(text: Argument): Script {
    const own = sha1(text);
    const script = known.get(own) ?? scriptOf(String(text));
    known.set(own, script);
    return script;
  }

  function prepareScript(command: Argument[]): Prepared {
    const [first = '', second = '', ...rest] = command;
    switch (String(second).toUpperCase()) {
      case 'LOAD': {
        const [text = ''] = rest;
        const script = remember(text);
        if (!script.isLocked) return asItIs(command);
        loaded.add(script);
        return { command: [first, second, script.behind], read: (reply) => ownDigest(reply, text) };
      }
      case 'FLUSH':
        known.clear();
        loaded.clear();
        return asItIs(command);
      case 'EXISTS':
        return asItIs([first, second, ...rest.map(knownToRedis)]);
      default:
        return asItIs(command);
    }
  }

  function knownToRedis(digest: Argument): Argument {
    const script = known.get(String(digest).toLowerCase());
    return script && loaded.has(script) ? script.digest : digest;
  }

  function behindGuard(command: Argument[], script: Script, { limits }: Rules, refusal: Refusal | undefined): Prepared {
    const suffix = nameOf(command).endsWith('_RO') ? '_RO' : '';
    const isKnown = nameOf(command).startsWith('EVALSHA') && onceForAll && loaded.has(script);
    loaded.add(script);
    const verb = isKnown ? [`EVALSHA${suffix}`, script.digest] : [`EVAL${suffix}`, script.behind];
    const asked = guardArguments(refusal && askedBy(refusal), limits, script.isLocked);
    return { command: [...verb, ...command.slice(2), ...asked], read: (reply) => valueIn(reply, refusal) };
  }

  return {
    prepare(command, rules) {
      const name = nameOf(command);
      if (name === 'SCRIPT') return prepareScript(command);
      const byText = name === 'EVAL' || name === 'EVAL_RO';
      if (!byText && name !== 'EVALSHA' && name !== 'EVALSHA_RO') return asItIs(command);
      const [, second = ''] = command;
      const script = byText ? remember(second) : known.get(String(second).toLowerCase());
      if (!script) return asItIs(command);
      const refusal = mayWrite(name) ? rules.refuse?.({ text: script.text, ...argumentsOf(command) }) : undefined;
      const isGuarded = script.isGuarded || refusal !== undefined || rules.limits !== undefined;
      return isGuarded ? behindGuard(command, script, rules, refusal) : asItIs(command);
    },
  };
}

const asItIs = (command: Argument[]): Prepared => ({ command, read: (reply) => reply });

function scriptOf(text: string): Script {
  const plain = withoutFlag(text);
  const behind = guarded(plain);
  const isLocked = plain !== text && text.startsWith('#!');
  return { text, isLocked, isGuarded: plain !== text || namesOthers(text), behind, digest: sha1(behind) };
}

/**
 * The line is emptied, not removed, so that line numbers in errors stay. Behind an empty line it is no first line: the service takes
 * such a script, and locks everything.
 */
function withoutFlag(text: string): string {
  return text.replace(/^(\s*\n)?#!lua([^\n]*)/, (line, before = '', rest: string) => {
    const flags = (/flags=(\S*)/.exec(rest)?.[1] ?? '').split(',');
    const others = flags.filter((flag) => flag !== 'allow-key-locking');
    if (others.length === flags.length) return line;
    return before + (others.length === 0 ? '' : `#!lua flags=${others.join(',')}`);
  });
}

function argumentsOf([, , count, ...rest]: Argument[]): { keys: string[]; args: string[] } {
  const words = rest.map(String);
  return { keys: words.slice(0, Number(count)), args: words.slice(Number(count)) };
}

function ownDigest(reply: Reply, text: Argument): Reply {
  return 'error' in reply ? reply : { result: Buffer.from(sha1(text)) };
}

/** Behind the guard a script returns its growing writes, then its value. */
function valueIn(reply: Reply, refusal: Refusal | undefined): Reply {
  if ('error' in reply || !Array.isArray(reply.result)) return reply;
  const [writes, value = null] = reply.result as [Value[], Value?];
  refusal?.told?.(writes.map(String));
  return value instanceof Error ? { error: value.message } : { result: value };
}

function sha1(text: Argument): string {
  return createHash('sha1').update(text).digest('hex');
}
