import { endsTerm, type Token, tokenize } from './jq.ts';

/**
 * Which expressions may be evaluated on the workflow thread, where nothing can interrupt them: those whose time
 * and output are linear in their input. An allow-list: everything else is evaluated in a guarded thread.
 */
const keywords = [
  'and',
  'or',
  'if',
  'then',
  'elif',
  'else',
  'end',
  'as',
  'true',
  'false',
  'null',
  'try',
  'catch',
];
const linear = [
  ...[
    'not',
    'length',
    'utf8bytelength',
    'keys',
    'keys_unsorted',
    'has',
    'type',
    'empty',
    'error',
    'del',
    'getpath',
  ],
  ...[
    'values',
    'nulls',
    'booleans',
    'numbers',
    'strings',
    'arrays',
    'objects',
    'iterables',
    'scalars',
    'select',
  ],
  ...[
    'add',
    'any',
    'all',
    'min',
    'max',
    'sort',
    'unique',
    'reverse',
    'first',
    'last',
    'to_entries',
    'from_entries',
  ],
  ...['tostring', 'tonumber', 'toboolean', 'tojson', 'fromjson', 'ascii_downcase', 'ascii_upcase'],
  ...['trim', 'ltrim', 'rtrim', 'ltrimstr', 'rtrimstr', 'trimstr', 'startswith', 'endswith', 'split', 'join'],
  ...[
    'explode',
    'implode',
    'abs',
    'floor',
    'ceil',
    'round',
    'trunc',
    'sqrt',
    'fabs',
    'log',
    'log2',
    'log10',
    'exp',
  ],
  ...[
    'isnan',
    'isinfinite',
    'isnormal',
    'infinite',
    'nan',
    'todate',
    'fromdate',
    'todateiso8601',
    'fromdateiso8601',
  ],
  ...['mktime', 'gmtime', 'strftime', 'strptime'],
];
/** Evaluate their argument for each element. */
const perElement = [
  'map',
  'map_values',
  'with_entries',
  'sort_by',
  'group_by',
  'unique_by',
  'min_by',
  'max_by',
];
const names = new Set([...keywords, ...linear, ...perElement]);
const assignments = new Set(['=', '|=', '+=', '-=', '*=', '/=', '%=', '//=', '..', ';', '?//', '$', ':=']);
/** A function of these is a loop over data that it can meet again inside: they take at most a literal. */
const literalArgument = new Set([
  'join',
  'split',
  'ltrimstr',
  'rtrimstr',
  'trimstr',
  'startswith',
  'endswith',
]);
const maxGrowth = 100;
/** Passes over the data in one expression; these few take several times as long as the others. */
const maxPasses = 12;
const slow = new Set(['sort', 'unique', 'join', 'sort_by', 'group_by', 'unique_by', 'min_by', 'max_by']);

export function isBounded(source: string): boolean {
  const { tokens, end, problem } = tokenize(source);
  if (problem !== undefined || end < source.length) return false;
  let iterations = 0;
  let bindings = false;
  let passes = 0;
  for (const [at, token] of tokens.entries()) {
    const before = tokens[at - 1];
    const after = tokens[at + 1];
    if (token.kind === 'name' && !token.key) {
      if (!names.has(token.text)) return false;
      if (!keywords.includes(token.text)) passes += slow.has(token.text) ? 4 : 1;
      if (perElement.includes(token.text) || (['any', 'all'].includes(token.text) && after?.text === '('))
        iterations += 1;
      if (['add', 'first', 'last', 'error'].includes(token.text) && after?.text === '(') return false;
      if (literalArgument.has(token.text) && !isShortLiteral(tokens, at + 2)) return false;
      if (token.text === 'as') bindings = true;
    }
    if (token.kind === 'variable') bindings = true;
    if (token.kind !== 'operator') continue;
    if (assignments.has(token.text)) return false;
    if (token.text === '*' && !isScaling(before, after)) return false;
    // Subtracting a list compares every pair.
    if (token.text === '-' && before?.kind !== 'number' && after?.kind !== 'number') return false;
    if (token.text === '[' && after?.text === ']' && endsTerm(before)) {
      if (!isWholeStage(tokens, at)) return false;
      iterations += 1;
    }
    if (token.text === '[' && endsTerm(before) && !isLiteralIndex(tokens, at + 1)) return false;
  }
  // With a variable in reach, a loop could read other data for each element: quadratic.
  return (iterations === 0 || !bindings) && passes <= maxPasses && growth(tokens) <= maxGrowth;
}

const isShortLiteral = (tokens: Token[], at: number) =>
  tokens[at]?.kind === 'string' && tokens[at + 1]?.text === ')' && (tokens[at]?.text.length ?? 0) <= 34;

/** `*` repeats strings: by a small literal only. Merging with a literal object is linear. */
const isScaling = (before: Token | undefined, after: Token | undefined) => {
  if (before?.kind === 'string' || after?.kind === 'string') return false;
  return after?.text === '{' || before?.kind === 'number' || after?.kind === 'number';
};

/** An index that is a list searches for it; only literal numbers and strings surely are none. */
function isLiteralIndex(tokens: Token[], from: number): boolean {
  for (let at = from; tokens[at]?.text !== ']'; at += 1) {
    const token = tokens[at];
    if (!token || !(token.kind === 'number' || token.kind === 'string' || [':', '-'].includes(token.text)))
      return false;
  }
  return true;
}

/**
 * `.a.b[]` must be all of its stage of the pipe (`[.a[] | …]`), so that only the elements flow on:
 * `.a[] + .b`, `{x: .a[], y: .b}` or `select(.a[])` would repeat the rest for each element.
 */
function isWholeStage(tokens: Token[], at: number): boolean {
  let from = at - 1;
  while (tokens[from]?.kind === 'field' || tokens[from]?.text === '.') from -= 1;
  const before = tokens[from];
  let to = at + 2;
  while (tokens[to]?.kind === 'field' || tokens[to]?.text === '?') to += 1;
  const after = tokens[to];
  const starts =
    before === undefined || before.text === '|' || (before.text === '[' && !endsTerm(tokens[from - 1]));
  const collected = before?.text === '[' || ['', '['].includes(before?.within ?? '');
  return starts && collected && (after === undefined || after.text === '|' || after.text === ']');
}

/** How many times larger than its input the output may be: each stage of a pipe multiplies what it repeats. */
function growth(tokens: Token[]): number {
  let total = 1;
  let stage = 1;
  for (const [at, token] of tokens.entries()) {
    if (token.text === '|' || token.text === 'as') {
      total *= stage;
      stage = 1;
    } else if (token.kind === 'operator' && token.text === ',') {
      if (token.within === '[' || token.within === '{') stage += 1;
      else total *= 2;
    } else if (token.kind === 'operator' && ['+', '\\('].includes(token.text)) stage += 1;
    else if (token.kind === 'operator' && token.text === '*')
      total *= Math.max(
        2,
        ...[tokens[at - 1], tokens[at + 1]].map((one) => (one?.kind === 'number' ? Number(one.text) : 1)),
      );
  }
  return total * stage;
}
