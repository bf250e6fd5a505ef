/**
 * The scopes of a Lua file: which local each name in it means, and the statements at its top with the names that these declare and
 * use. It follows the grammar of Lua 5.1, because a name in a comment, a field or another scope is not a use.
 */
import { type Token, tokensOf } from './tokens.ts';

/** A local that is declared within a statement. */
export interface Inner {
  name: string;
  /** How many others are in scope where it is declared. */
  depth: number;
}

export interface Statement {
  file: string;
  tokens: Token[];
  /** The locals of the file that it declares. */
  declares: string[];
  /** Whether it begins with `local function`, with `local`, or with neither. */
  form: 'function' | 'local' | 'other';
  /** The names that it uses and that it does not declare within itself, by the places of their tokens. */
  free: Map<number, string>;
  /** The locals within it, by the places of their tokens. */
  inner: Map<number, Inner>;
}

const BINARY = new Set(['+', '-', '*', '/', '%', '^', '..', '<', '<=', '>', '>=', '==', '~=', 'and', 'or']);
const UNARY = new Set(['-', '#', 'not']);
const LITERALS = new Set(['nil', 'true', 'false', '...']);

/** @throws Error that names file and line where the text is not Lua 5.1 */
export function statementsOf(text: string, file: string): Statement[] {
  return new Reader(tokensOf(text, file), file).file();
}

class Reader {
  readonly #tokens: Token[];
  readonly #file: string;
  #at = 0;
  #from = 0;
  /** The locals in scope within the present statement, the innermost last. */
  #scope: Inner[] = [];
  #depth = 0;
  #free = new Map<number, string>();
  #inner = new Map<number, Inner>();

  constructor(tokens: Token[], file: string) {
    this.#tokens = tokens;
    this.#file = file;
  }

  file(): Statement[] {
    const statements: Statement[] = [];
    while (this.#at < this.#tokens.length) {
      this.#from = this.#at;
      this.#free = new Map();
      this.#inner = new Map();
      const { form, declares } = this.#topStatement();
      this.#take(';', false);
      const tokens = this.#tokens.slice(this.#from, this.#at);
      statements.push({ file: this.#file, tokens, form, declares, free: this.#free, inner: this.#inner });
    }
    return statements;
  }

  #topStatement(): Pick<Statement, 'form' | 'declares'> {
    if (!this.#take('local', false)) {
      this.#statement();
      return { form: 'other', declares: [] };
    }
    if (this.#take('function', false)) {
      const name = this.#use();
      this.#body();
      return { form: 'function', declares: [name] };
    }
    const declares: string[] = [];
    do declares.push(this.#use());
    while (this.#take(',', false));
    if (this.#take('=', false)) this.#expressions();
    return { form: 'local', declares };
  }

  #peek(): string {
    const token = this.#tokens[this.#at];
    return token && token.kind !== 'string' ? token.text : '';
  }

  /** Passes this token, or says that it is missing. */
  #take(text: string, must = true): boolean {
    if (this.#peek() === text) {
      this.#at += 1;
      return true;
    }
    if (must) this.#fail(`expected ${text}`);
    return false;
  }

  #fail(why: string): never {
    const token = this.#tokens[Math.min(this.#at, this.#tokens.length - 1)];
    throw new Error(`${this.#file}:${token?.line ?? 1}: ${why} at ${token?.text ?? 'the end'}`);
  }

  #name(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'name') this.#fail('expected a name');
    this.#at += 1;
    return (token as Token).text;
  }

  /** A name that is looked up. */
  #use(): string {
    const place = this.#at - this.#from;
    const name = this.#name();
    const inner = this.#scope.findLast((local) => local.name === name);
    if (inner) this.#inner.set(place, inner);
    else this.#free.set(place, name);
    return name;
  }

  /** A name that is declared within the statement. */
  #declare(): Inner {
    const place = this.#at - this.#from;
    const inner = { name: this.#name(), depth: this.#depth };
    this.#depth += 1;
    this.#inner.set(place, inner);
    return inner;
  }

  #declareAll(): Inner[] {
    const declared = [this.#declare()];
    while (this.#take(',', false)) declared.push(this.#declare());
    return declared;
  }

  #within(work: () => void): void {
    const [scope, depth] = [this.#scope.length, this.#depth];
    work();
    this.#scope.length = scope;
    this.#depth = depth;
  }

  #block(...ends: string[]): void {
    this.#within(() => this.#blockOpen(...ends));
  }

  #blockOpen(...ends: string[]): void {
    while (!ends.includes(this.#peek())) {
      if (this.#at >= this.#tokens.length) this.#fail(`expected ${ends[0]}`);
      this.#statement();
      this.#take(';', false);
    }
  }

  #statement(): void {
    const word = this.#peek();
    const read = this.#statements.get(word);
    if (read) this.#at += 1;
    (read ?? (() => this.#assignment()))();
  }

  readonly #statements = new Map<string, () => void>(
    Object.entries({
      do: () => {
        this.#block('end');
        this.#take('end');
      },
      while: () => {
        this.#expression();
        this.#loop();
      },
      repeat: () =>
        this.#within(() => {
          this.#blockOpen('until');
          this.#take('until');
          this.#expression();
        }),
      if: () => {
        do {
          this.#expression();
          this.#take('then');
          this.#block('elseif', 'else', 'end');
        } while (this.#take('elseif', false));
        if (this.#take('else', false)) this.#block('end');
        this.#take('end');
      },
      for: () =>
        this.#within(() => {
          const declared = this.#declareAll();
          if (!this.#take('=', false)) this.#take('in');
          this.#expressions();
          this.#scope.push(...declared);
          this.#loop();
        }),
      function: () => {
        this.#use();
        while (this.#take('.', false)) this.#name();
        this.#body();
      },
      local: () => this.#local(),
      return: () => {
        if (this.#at < this.#tokens.length && !['end', 'else', 'elseif', 'until', ';'].includes(this.#peek()))
          this.#expressions();
      },
      break: () => {},
    }),
  );

  #local(): void {
    if (this.#take('function', false)) {
      this.#scope.push(this.#declare());
      this.#body();
    } else {
      const declared = this.#declareAll();
      if (this.#take('=', false)) this.#expressions();
      this.#scope.push(...declared);
    }
  }

  #loop(): void {
    this.#take('do');
    this.#block('end');
    this.#take('end');
  }

  #assignment(): void {
    do this.#suffixed();
    while (this.#take(',', false));
    if (this.#take('=', false)) this.#expressions();
  }

  #body(): void {
    this.#within(() => {
      this.#take('(');
      while (!this.#take(')', false)) {
        if (!this.#take('...', false)) this.#scope.push(this.#declare());
        if (this.#peek() !== ')') this.#take(',');
      }
      this.#blockOpen('end');
      this.#take('end');
    });
  }

  #expressions(): void {
    do this.#expression();
    while (this.#take(',', false));
  }

  #expression(): void {
    for (;;) {
      while (UNARY.has(this.#peek())) this.#at += 1;
      this.#operand();
      if (!BINARY.has(this.#peek())) return;
      this.#at += 1;
    }
  }

  #operand(): void {
    const token = this.#tokens[this.#at];
    if (!token) this.#fail('expected a value');
    const { kind, text } = token as Token;
    if (kind === 'number' || kind === 'string' || LITERALS.has(text)) this.#at += 1;
    else if (this.#take('function', false)) this.#body();
    else if (text === '{') this.#table();
    else this.#suffixed();
  }

  #suffixed(): void {
    if (this.#take('(', false)) {
      this.#expression();
      this.#take(')');
    } else this.#use();
    while (this.#suffix());
  }

  #suffix(): boolean {
    if (this.#take('.', false)) return this.#name() !== '';
    if (this.#take('[', false)) {
      this.#expression();
      return this.#take(']');
    }
    if (this.#take('(', false)) {
      if (this.#peek() !== ')') this.#expressions();
      return this.#take(')');
    }
    return false;
  }

  #table(): void {
    this.#take('{');
    while (!this.#take('}', false)) {
      if (this.#take('[', false)) {
        this.#expression();
        this.#take(']');
        this.#take('=');
      } else if (this.#tokens[this.#at]?.kind === 'name' && this.#tokens[this.#at + 1]?.text === '=') this.#at += 2;
      this.#expression();
      if (this.#peek() !== '}' && !this.#take(';', false)) this.#take(',');
    }
  }
}
