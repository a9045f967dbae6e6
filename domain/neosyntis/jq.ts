/**
 * A tokenizer for jq 1.8: enough to find where an expression ends, which names it calls and how it is nested.
 * It does not check syntax (jq does); what it cannot read it reports.
 */
export type TokenKind = 'name' | 'field' | 'variable' | 'string' | 'number' | 'format' | 'operator';

export interface Token {
  kind: TokenKind;
  text: string;
  at: number;
  /** The innermost open bracket: `(`, `[` (a list), `.[` (an index), `{`, `\(` or `if`; empty at the top. */
  within: string;
  /** An object's key, as in `{env: 1}`. */
  key: boolean;
}

export interface Tokens {
  tokens: Token[];
  /** Where reading stopped: at a `}` that closes nothing, or at the end. */
  end: number;
  problem?: string;
}

const patterns: [TokenKind, RegExp][] = [
  ['field', /\.[a-zA-Z_][a-zA-Z_0-9]*/y],
  ['number', /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y],
  ['name', /(?:[a-zA-Z_][a-zA-Z_0-9]*::)*[a-zA-Z_][a-zA-Z_0-9]*/y],
  ['variable', /\$(?:[a-zA-Z_][a-zA-Z_0-9]*::)*[a-zA-Z_][a-zA-Z_0-9]*/y],
  ['format', /@[a-zA-Z0-9_]+/y],
  ['operator', /\?\/\/=?|\|=|\/\/=|[-+*/%=!<>]=|\/\/|\.\.|[-.?=;,:|+*/%<>$[\](){}]/y],
];
const closes: Record<string, readonly string[]> = { ')': ['(', '\\('], ']': ['[', '.['], '}': ['{'] };

export function tokenize(source: string, start = 0): Tokens {
  const tokens: Token[] = [];
  const open: string[] = [];
  let at = start;
  const add = (kind: TokenKind, text: string, from: number, key = false) =>
    tokens.push({ kind, text, at: from, within: open.at(-1) ?? '', key });
  const stop = (problem: string): Tokens => ({ tokens, end: source.length, problem });

  /** Reads a string, or the rest of one after an interpolation; false when it does not end. */
  const string = (from: number): boolean => {
    while (at < source.length) {
      if (source[at] === '"') {
        at += 1;
        add('string', source.slice(from, at), from);
        return true;
      }
      if (source[at] === '\\' && source[at + 1] === '(') {
        add('string', source.slice(from, at), from);
        open.push('\\(');
        add('operator', '\\(', at);
        at += 2;
        return true;
      }
      at += source[at] === '\\' ? 2 : 1;
    }
    return false;
  };

  while (at < source.length) {
    const from = at;
    const character = source.charAt(at);
    if (/\s/.test(character)) {
      at += 1;
    } else if (character === '#') {
      at = source.indexOf('\n', at) === -1 ? source.length : source.indexOf('\n', at);
      // jq lets a backslash continue a comment on the next line: what is code would then be a matter of counting.
      if (source.slice(from, at).includes('\\')) return stop('a comment must not contain a backslash');
    } else if (character === '"') {
      at += 1;
      if (!string(from)) return stop('a string has no closing quote');
    } else {
      const found = match(source, at);
      if (!found) return stop(`unexpected character ${JSON.stringify(character)}`);
      const [kind, text] = found;
      at += text.length;
      const before = tokens.at(-1);
      const key = kind === 'name' && open.at(-1) === '{' && (before?.text === '{' || before?.text === ',');
      if (kind === 'operator' && text in closes) {
        const top = open.at(-1);
        if (text === '}' && top === undefined) return { tokens, end: from };
        if (top === undefined || !closes[text]?.includes(top)) return stop(`"${text}" closes nothing`);
        open.pop();
        add(kind, text, from);
        if (top === '\\(' && !string(at)) return stop('a string has no closing quote');
        continue;
      }
      if (kind === 'name' && text === 'end' && !key && open.at(-1) === 'if') open.pop();
      add(kind, text, from, key);
      if (kind === 'operator' && '([{'.includes(text))
        open.push(text === '[' && endsTerm(before) ? '.[' : text);
      if (kind === 'name' && text === 'if' && !key) open.push('if');
    }
  }
  const last = open.at(-1);
  return last === undefined ? { tokens, end: at } : stop(`"${last}" is not closed`);
}

function match(source: string, at: number): [TokenKind, string] | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) return [kind, found[0]];
  }
  return undefined;
}

const keywords = [
  'if',
  'then',
  'elif',
  'else',
  'and',
  'or',
  'as',
  'try',
  'catch',
  'reduce',
  'foreach',
  'def',
];

/** Whether a `[` after this token is an index rather than a list. */
export const endsTerm = (token: Token | undefined): boolean =>
  token !== undefined &&
  (token.kind === 'operator'
    ? [')', ']', '}', '.', '..', '?'].includes(token.text)
    : token.kind !== 'name' || !keywords.includes(token.text));
