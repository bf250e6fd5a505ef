/** Asks the questions, one after another, and removes what they wrote. One that fails stops no other: its failure is its answer. */
import { randomBytes } from 'node:crypto';
import { type Answers, FAILED, type Parts } from './answers.ts';
import { type Command, type Database, Unanswered } from './database.ts';
import { type Probe, plain, type Question, told } from './question.ts';

export interface Asking {
  database: Database;
  questions: readonly Question[];
  /** Ends it before the next request; what was written is removed all the same. */
  signal: AbortSignal;
}

export interface Asked {
  answers: Answers;
  /** What could not be removed: names of keys, or commands that would do it. */
  left: string[];
}

/** Of keys in one UNLINK. */
const REMOVED_AT_ONCE = 100;

export async function askAll({ database, questions, signal }: Asking): Promise<Asked> {
  const name = `probe-${randomBytes(6).toString('hex')}`;
  const traces = createTraces(database);
  const date = new Date().toISOString().slice(0, 10);
  const answers: Answers = {};
  for (const question of questions) {
    if (signal.aborted) break;
    const parts = await partsOf(question, createProbe(name, database, traces, signal));
    for (const [part, answer] of Object.entries(parts)) {
      answers[`${question.name}.${part}`] = { answer, source: 'measured', date, from: 'the probe' };
    }
    await traces.remove();
  }
  await traces.remove();
  return { answers, left: traces.left() };
}

/** Never throws: what was written has to be removed. */
async function partsOf(question: Question, probe: Probe): Promise<Parts> {
  try {
    return await question.ask(probe);
  } catch (error) {
    if (error instanceof Stopped) return {};
    if (error instanceof Unanswered) return { [FAILED]: error.message };
    return { [FAILED]: `an answer of another form than was expected: ${plain(String(error))}` };
  }
}

/** It was told to end. */
class Stopped extends Error {}

function createProbe(name: string, database: Database, traces: Traces, signal: AbortSignal): Probe {
  const unlessStopped = <Rest extends unknown[], Result>(work: (...rest: Rest) => Promise<Result>) => {
    return async (...rest: Rest): Promise<Result> => {
      if (signal.aborted) throw new Stopped();
      return work(...rest);
    };
  };
  const send = unlessStopped(database.send);
  return {
    name,
    key: (of) => traces.key(`{${name}}:${of}`),
    keyElsewhere: (of) => traces.key(`${name}:${of}`),
    send,
    post: unlessStopped(database.post),
    run: async (script, keys = [], args = []) => told(await send(['EVAL', script, keys.length, ...keys, ...args])),
    undo: traces.undo,
  };
}

interface Traces {
  key(name: string): string;
  undo(command: Command): void;
  /** What fails is tried again the next time. */
  remove(): Promise<void>;
  left(): string[];
}

function createTraces({ send }: Database): Traces {
  let keys = new Set<string>();
  let commands: Command[] = [];
  const fails = async (command: Command) => {
    const reply = await send(command).catch(() => undefined);
    return reply?.error !== undefined || reply === undefined;
  };
  return {
    key(name) {
      keys.add(name);
      return name;
    },
    undo: (command) => void commands.push(command),
    async remove() {
      const [names, undoing] = [[...keys], commands];
      [keys, commands] = [new Set(), []];
      for (let from = 0; from < names.length; from += REMOVED_AT_ONCE) {
        const some = names.slice(from, from + REMOVED_AT_ONCE);
        if (!(await fails(['UNLINK', ...some]))) continue;
        // One that is refused must not keep the others.
        for (const name of some) if (await fails(['UNLINK', name])) keys.add(name);
      }
      for (const command of undoing) if (await fails(command)) commands.push(command);
    },
    left: () => [...keys, ...commands.map((command) => command.join(' '))],
  };
}
