/** Answers: what a probe finds, and what is expected of the service, in one form, so that one can be laid beside the other. Pure but for reading a file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

export type Json = string | number | boolean | null | Json[];

/** Of one question, by the name of the part. */
export type Parts = Record<string, Json>;

/** Of one part, which is named `<question>.<part>`. */
export interface Answer {
  /** Left out where nobody says. */
  answer?: Json;
  /** Where it stands in the documentation, who saw it, or that a probe measured it; of `unknown` an answer is an assumption. */
  source: 'documented' | 'seen' | 'unknown' | 'measured';
  /** When the source was read or made. */
  date?: string;
  from?: string;
  note?: string;
}

export type Answers = Record<string, Answer>;

/** A file of answers. */
export interface AnswerFile {
  about: string;
  answers: Answers;
  /** What no probe can ask: it would have to use up the month of a database, or to fill it. */
  unasked?: Answers;
}

/** What is expected of the service. */
export const EXPECTED = join(import.meta.dirname, 'expected.json');

/** @throws TypeError where it is no file of answers */
export function readAnswers(file: string): AnswerFile {
  const read = JSON.parse(readFileSync(file, 'utf8')) as Partial<AnswerFile> | null;
  if (typeof read?.answers === 'object' && read.answers !== null) return read as AnswerFile;
  throw new TypeError(`${file} holds no answers of a probe`);
}

export interface Compared {
  name: string;
  /** Undefined: this part was not answered. */
  found: Json | undefined;
  expected: Answer | undefined;
  /** `new`: nobody said what to expect. `open`: it was asked for, and this part did not come to be answered. */
  verdict: 'same' | 'differs' | 'new' | 'open';
}

/** What a question that failed answers instead, under this name. */
export const FAILED = 'failed';

/** @param asked the questions: of others nothing is expected now */
export function compare(found: Answers, expected: Answers, asked: readonly string[]): Compared[] {
  const questionOf = (name: string) => name.slice(0, name.indexOf('.'));
  const names = new Set([...Object.keys(found), ...Object.keys(expected)]);
  const rows = [...names].filter((name) => asked.includes(questionOf(name)));
  return asked
    .flatMap((question) => rows.filter((name) => questionOf(name) === question))
    .map((name) => {
      const [is, should] = [found[name]?.answer, expected[name]];
      return { name, found: is, expected: should, verdict: verdictOf(name, is, should?.answer) };
    });
}

function verdictOf(name: string, found: Json | undefined, expected: Json | undefined): Compared['verdict'] {
  if (name.endsWith(`.${FAILED}`)) return 'differs';
  if (found === undefined) return 'open';
  if (expected === undefined) return 'new';
  return isDeepStrictEqual(found, expected) ? 'same' : 'differs';
}
