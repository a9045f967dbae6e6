import type { InputProblem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import { isObject, show } from './json.ts';

const maxDepth = 64;
const maxSchemas = 5_000;
const maxProblems = 20;

type Rule = (value: unknown) => string | undefined;

const must =
  (what: string, holds: (value: unknown) => boolean): Rule =>
  (value) =>
    holds(value) ? undefined : `must be ${what}, found ${show(value)}`;

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);

const number = must('a number', isNumber);
const count = must('a whole number from 0 on', (value) => Number.isInteger(value) && Number(value) >= 0);
const text = must('a string', isText);
const flag = must('true or false', (value) => typeof value === 'boolean');
const texts = must('a list of strings', isTexts);
const list = must('a list', Array.isArray);
const typeNames = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];
const isTypeName = (value: unknown) => typeNames.includes(String(value)) && isText(value);

function pattern(value: unknown): string | undefined {
  if (!isText(value)) return text(value);
  try {
    new RegExp(value, 'u');
    return undefined;
  } catch (error) {
    return `is not a regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const refused =
  (instead: string): Rule =>
  () =>
    `is not supported; ${instead}`;

/** What each keyword of JSON Schema (2020-12, and what earlier drafts called otherwise) takes; others mean nothing. */
const rules: Record<string, Rule> = {
  $schema: text,
  $id: text,
  $anchor: text,
  $comment: text,
  $dynamicRef: refused('use `$ref`'),
  $recursiveRef: refused('use `$ref`'),
  title: text,
  description: text,
  format: text,
  contentEncoding: text,
  contentMediaType: text,
  pattern,
  type: must(
    `one of ${typeNames.join(', ')}, or a list of them`,
    (value) => isTypeName(value) || (Array.isArray(value) && value.length > 0 && value.every(isTypeName)),
  ),
  enum: list,
  examples: list,
  required: texts,
  dependentRequired: must(
    'an object of lists of strings',
    (value) => isObject(value) && Object.values(value).every(isTexts),
  ),
  multipleOf: must('a number over 0', (value) => isNumber(value) && value > 0),
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  minLength: count,
  maxLength: count,
  minItems: count,
  maxItems: count,
  minContains: count,
  maxContains: count,
  minProperties: count,
  maxProperties: count,
  uniqueItems: flag,
  deprecated: flag,
  readOnly: flag,
  writeOnly: flag,
};

/** Keywords that hold a schema for the same value: a circle of them and of `$ref` would never end. */
const inPlace = ['not', 'if', 'then', 'else', 'allOf', 'anyOf', 'oneOf', 'dependentSchemas', 'dependencies'];
const ofOne = [
  ...['not', 'if', 'then', 'else', 'contains', 'propertyNames', 'contentSchema', 'additionalItems'],
  ...['additionalProperties', 'unevaluatedItems', 'unevaluatedProperties', 'items'],
];
const ofLists = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
const ofMaps = [
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
];

interface Visited {
  problems: InputProblem[];
  schemas: Map<string, Found>;
  anchors: Map<string, string>;
}

interface Found {
  ref?: string;
  /** Pointers of the schemas that hold for the same value. */
  same: string[];
}

/**
 * What is wrong with a JSON Schema that somebody wrote, at pointers into it. Checking values against it can still take
 * long, by its patterns and branches: that is done only where it can be ended.
 */
export function jsonSchemaProblems(schema: unknown): InputProblem[] {
  const visited: Visited = { problems: [], schemas: new Map(), anchors: new Map() };
  visit(schema, '', 0, visited);
  if (visited.schemas.size > maxSchemas)
    return [{ path: '', message: `has more than ${maxSchemas} schemas in it` }];
  if (visited.problems.length === 0) visited.problems.push(...referenceProblems(visited));
  return visited.problems.slice(0, maxProblems);
}

function visit(schema: unknown, path: string, depth: number, visited: Visited): void {
  const { problems, schemas, anchors } = visited;
  if (schemas.size > maxSchemas || problems.length >= maxProblems) return;
  const add = (key: string, message: string) => problems.push({ path: pointer(path, key), message });
  const found: Found = { same: [] };
  schemas.set(path, found);
  if (typeof schema === 'boolean') return;
  if (!isObject(schema))
    return void problems.push({
      path,
      message: `must be a schema, an object or true or false, found ${show(schema)}`,
    });
  if (depth > maxDepth)
    return void problems.push({ path, message: `is nested more than ${maxDepth} schemas deep` });
  for (const [key, value] of Object.entries(schema)) {
    const wrong = Object.hasOwn(rules, key) ? rules[key]?.(value) : undefined;
    if (wrong !== undefined) add(key, wrong);
  }
  if (isText(schema.$anchor)) anchors.set(schema.$anchor, path);
  if (path !== '' && Object.hasOwn(schema, '$id'))
    add('$id', 'is supported at the top of a schema only: name parts by `$anchor` or `#/…`');
  if (Object.hasOwn(schema, '$ref')) {
    if (!isText(schema.$ref)) add('$ref', `must be a string, found ${show(schema.$ref)}`);
    else if (!schema.$ref.startsWith('#'))
      add(
        '$ref',
        `must lead to a part of this schema (\`#/…\`), found ${show(schema.$ref)}: nothing is fetched`,
      );
    else found.ref = schema.$ref;
  }
  const inner = (value: unknown, keyword: string, ...keys: (string | number)[]) => {
    const own = pointer(path, keyword, ...keys);
    if (inPlace.includes(keyword)) found.same.push(own);
    visit(value, own, depth + 1, visited);
  };
  for (const key of ofOne) {
    if (!Object.hasOwn(schema, key)) continue;
    const value = schema[key];
    if (key === 'items' && Array.isArray(value)) for (const [at, one] of value.entries()) inner(one, key, at);
    else inner(value, key);
  }
  for (const key of ofLists) {
    if (!Object.hasOwn(schema, key)) continue;
    const value = schema[key];
    if (!Array.isArray(value) || value.length === 0)
      add(key, `must be a list of at least one schema, found ${show(value)}`);
    else for (const [at, one] of value.entries()) inner(one, key, at);
  }
  for (const key of ofMaps) {
    if (!Object.hasOwn(schema, key)) continue;
    const value = schema[key];
    if (!isObject(value)) add(key, `must be an object of schemas, found ${show(value)}`);
    else
      for (const [name, one] of Object.entries(value)) {
        const wrong = key === 'patternProperties' ? pattern(name) : undefined;
        if (wrong !== undefined) problems.push({ path: pointer(path, key, name), message: wrong });
        else if (key !== 'dependencies' || !isTexts(one)) inner(one, key, name);
      }
  }
}

function referenceProblems({ schemas, anchors }: Visited): InputProblem[] {
  const problems: InputProblem[] = [];
  for (const [path, found] of schemas) {
    const { ref } = found;
    if (ref === undefined) continue;
    const target = targetOf(ref, anchors);
    if (target === undefined || !schemas.has(target))
      problems.push({ path: pointer(path, '$ref'), message: `${show(ref)} leads to no schema in here` });
    else found.same.push(target);
  }
  const endless = problems.length === 0 ? circle(schemas) : undefined;
  return endless === undefined
    ? problems
    : [
        {
          path: endless,
          message: 'leads back to itself for the same value, so that checking it would never end',
        },
      ];
}

function targetOf(ref: string, anchors: Visited['anchors']): string | undefined {
  try {
    const fragment = decodeURIComponent(ref.slice(1));
    return fragment === '' || fragment.startsWith('/') ? fragment : anchors.get(fragment);
  } catch {
    return undefined; // a broken % escape
  }
}

/** The pointer of a schema from which `same` leads back to it, if there is one. */
function circle(schemas: Visited['schemas']): string | undefined {
  const state = new Map<string, 'open' | 'done'>();
  for (const start of schemas.keys()) {
    const stack: { path: string; next: number }[] = [{ path: start, next: 0 }];
    if (state.has(start)) continue;
    state.set(start, 'open');
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const target = schemas.get(top.path)?.same[top.next++];
      if (target === undefined) {
        state.set(top.path, 'done');
        stack.pop();
      } else if (state.get(target) === 'open') return target;
      else if (!state.has(target)) {
        state.set(target, 'open');
        stack.push({ path: target, next: 0 });
      }
    }
  }
  return undefined;
}
