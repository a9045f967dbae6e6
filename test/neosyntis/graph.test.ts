// biome-ignore-all lint/suspicious/noThenProperty: the specification's name; nothing awaits these objects.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Document, TaskList } from '../../domain/neosyntis/dsl.ts';
import { type Graph, graphOf, withStates } from '../../domain/neosyntis/graph.ts';
import { mermaidOf } from '../../domain/neosyntis/mermaid.ts';
import { asItRuns } from '../../domain/neosyntis/use.ts';
import { walkTasks } from '../../domain/neosyntis/walk.ts';
import { someCase } from '../reference/arbitrary-documents.ts';

const listOf = (list: unknown) => ({ do: list as TaskList }); // as if it had been checked
const lines = ({ edges }: Graph) =>
  edges.map(({ from, kind, to, label }) => `${from} ${kind} ${to}${label === undefined ? '' : `: ${label}`}`);
const error = { type: 'https://example.org/no', status: 400 };

interface Parsed {
  type: string;
  nodes: { id: string; text: string; classes: string[] }[];
  edges: { start: string; end: string; text: string }[];
  subgraphs: { id: string; title: string; nodes: string[]; classes: string[] }[];
}

/** What Mermaid itself makes of them; it fails when one is no flowchart. */
async function parsed(texts: string[]): Promise<Parsed[]> {
  const child = spawn(process.execPath, ['test/support/parse-mermaid.ts'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(texts));
  return JSON.parse(await text(child.stdout)) as Parsed[];
}

test('Edges follow the order of a list, `then`, `if` and the cases of a switch', () => {
  const graph = graphOf(
    listOf([
      { a: { set: {}, if: '.x', then: 'c' } },
      {
        b: { switch: [{ big: { when: '.n > 1', then: 'a' } }, { none: { when: '.n == 0', then: 'exit' } }] },
      },
      { c: { switch: [{ odd: { when: '.odd', then: 'continue' } }, { rest: { then: 'end' } }] } },
      {
        d: {
          do: [{ x: { set: {}, then: 'exit' } }, { y: { wait: 'PT1S', then: 'end' } }, { z: { set: {} } }],
        },
      },
      { e: { do: [] } },
      { f: { raise: { error } } },
    ]),
  );
  expect(lines(graph)).toEqual([
    'start next /do/0/a',
    '/do/0/a then /do/2/c: c',
    '/do/0/a skip /do/1/b: if not',
    '/do/1/b case /do/0/a: big: .n > 1',
    '/do/1/b case end: none: .n == 0',
    '/do/1/b next /do/2/c: no case',
    '/do/2/c case /do/3/d: odd: .odd',
    '/do/2/c case end: rest',
    '/do/3/d next /do/4/e',
    '/do/3/d enter /do/3/d/do/0/x',
    '/do/3/d/do/0/x then /do/3/d: exit',
    '/do/3/d/do/1/y then end: end',
    '/do/3/d/do/2/z leave /do/3/d',
    '/do/4/e next /do/5/f',
    '/do/5/f error end',
  ]);
  expect(graph.nodes.find(({ id }) => id === '/do/0/a')).toEqual({
    ...{ id: '/do/0/a', name: 'a', kind: 'set', parent: null, if: '.x' },
  });
  expect(graph.nodes.find(({ name }) => name === 'y')).toMatchObject({ parent: '/do/3/d', label: 'PT1S' });
});

test('Edges lead into loops, branches, functions and `try`, back, and from errors to what catches them', () => {
  const document = {
    use: { functions: { greet: { do: [{ hi: { set: {} } }] } } },
    ...listOf([
      { each: { for: { in: '.items' }, do: [{ one: { set: {} } }, { two: { call: 'greet' } }] } },
      { hear: { listen: { to: { any: [] } }, foreach: { do: [{ note: { set: {} } }] } } },
      { fork: { fork: { branches: [{ p: { set: {}, then: 'exit' } }, { q: { set: {}, then: 'end' } }] } } },
      {
        care: {
          try: [
            { no: { raise: { error } } },
            { inner: { try: [{ n: { raise: { error } } }], catch: { retry: {} } } },
          ],
          catch: { errors: { with: { status: 400 } }, retry: {}, do: [{ fix: { set: {} } }], then: 'each' },
        },
      },
      { free: { try: [], catch: {} } },
    ]),
  };
  const graph = graphOf(asItRuns(document as unknown as Document)); // as if it had been checked
  const [care, inner, two] = ['/do/3/care', '/do/3/care/try/1/inner', '/do/0/each/do/1/two'];
  expect(lines(graph)).toEqual([
    'start next /do/0/each',
    '/do/0/each next /do/1/hear',
    '/do/0/each enter /do/0/each/do/0/one',
    `/do/0/each/do/0/one next ${two}`,
    `${two} loop /do/0/each`,
    `${two} enter ${two}/function/greet`,
    `${two}/function/greet leave ${two}`,
    `${two}/function/greet enter ${two}/function/greet/do/0/hi`,
    `${two}/function/greet/do/0/hi leave ${two}/function/greet`,
    '/do/1/hear next /do/2/fork',
    '/do/1/hear enter /do/1/hear/foreach/do/0/note',
    '/do/1/hear/foreach/do/0/note loop /do/1/hear',
    `/do/2/fork next ${care}`,
    '/do/2/fork branch /do/2/fork/fork/branches/0/p',
    '/do/2/fork/fork/branches/0/p join /do/2/fork',
    '/do/2/fork branch /do/2/fork/fork/branches/1/q',
    '/do/2/fork/fork/branches/1/q then end: end',
    `${care} next /do/4/free`,
    `${care} enter ${care}/try`,
    `${care}/try leave ${care}`,
    `${care}/try error ${care}/catch: status 400`,
    `${care}/try enter ${care}/try/0/no`,
    `${care}/try/0/no error ${care}/catch`,
    `${inner} leave ${care}/try`,
    `${inner} enter ${inner}/try`,
    `${inner}/try leave ${inner}`,
    `${inner}/try error ${inner}/catch`,
    `${inner}/try enter ${inner}/try/0/n`,
    `${inner}/try/0/n error ${inner}/catch`,
    `${inner}/catch retry ${inner}/try`,
    `${inner}/catch error ${care}/catch`,
    `${care}/catch retry ${care}/try`,
    `${care}/catch then /do/0/each: each`,
    `${care}/catch enter ${care}/catch/do/0/fix`,
    `${care}/catch/do/0/fix leave ${care}/catch`,
    '/do/4/free next end',
    '/do/4/free enter /do/4/free/try',
    '/do/4/free/try leave /do/4/free',
    '/do/4/free/try error /do/4/free/catch',
    '/do/4/free/catch leave /do/4/free',
  ]);
});

const hostile = [
  ...[
    'end',
    'subgraph x',
    'class n0 failed',
    '"',
    '`md`',
    '#quot;',
    '#35;',
    'ﬂ°°35¶ß',
    '%%{init: {}}%%',
    '<b>&lt;</b>',
  ],
  ...[
    'a\nb',
    '\u2028',
    '\u0000',
    '\ud800',
    '🙂 ü 漢字',
    ']) --> n0',
    '|',
    'style n0: #f;',
    'x@{ shape: rect }',
    '1. one',
    '---',
  ],
];
const someName = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
);

/** Documents of all shapes, whose tasks have such names. */
const someDocument = fc
  .tuple(someCase, fc.tuple(someName, someName, someName, someName))
  .map(([{ document }, names]) => {
    const json = ['one', 'two', 'three', 'four'].reduce(
      // Names of one list differ.
      (all, name, at) => all.replaceAll(`"${name}"`, () => JSON.stringify(`${names[at]}${at}`)),
      JSON.stringify(document),
    );
    return JSON.parse(json) as Document;
  });

/** Whatever has no sign of its own is a space, and spaces do not count. */
const spaced = (shown: string) => shown.replaceAll(/[\p{Cc}\p{Cs}\s]+/gu, ' ').trim();

test('Mermaid’s parser reads every graph as what it is, whatever tasks are called', async () => {
  const documents = fc.sample(someDocument, { numRuns: 25, seed: 3 });
  documents.push(
    ...hostile.map(
      (name) => listOf([{ [name]: { switch: [{ [name]: { when: name, then: name } }] } }]) as Document,
    ),
  );
  const graphs = documents.map((document, at) => {
    const graph = graphOf(document);
    const ids = graph.nodes.map(({ id }) => id);
    const paths: string[] = [];
    walkTasks(document, (path) => paths.push(path));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => paths.includes(id)).toSorted()).toEqual(paths.toSorted());
    const known = new Set(ids);
    for (const { from, to } of graph.edges)
      expect([from, known.has(from), to, known.has(to)]).toEqual([from, true, to, true]);
    for (const [at, { parent }] of graph.nodes.entries())
      if (parent !== null) expect(ids.slice(0, at)).toContain(parent);
    const states = ids.map((id) => [id, { status: 'failed' as const, visits: 1, attempt: 1 }] as const);
    return at % 2 === 0 ? graph : withStates(graph, new Map(states));
  });
  const found = await parsed(graphs.map(mermaidOf));
  expect(found).toHaveLength(documents.length);
  for (const [at, { nodes, edges }] of graphs.entries()) {
    const { type, subgraphs, ...drawn } = found[at] ?? { type: '', nodes: [], edges: [], subgraphs: [] };
    expect(type).toMatch(/^flowchart/);
    const number = (id: string) => `n${nodes.findIndex((one) => one.id === id)}`;
    const shown = drawn.edges.map(({ start, end }) => [start, end].map((one) => one.replace(/[io]$/, '')));
    expect(shown).toEqual(edges.map(({ from, to }) => [number(from), number(to)]));
    for (const [at, { label, kind }] of edges.entries()) {
      const [text = '', rest] = (drawn.edges[at]?.text ?? 'none').split('…');
      const whole = spaced(label ?? (kind === 'retry' ? 'retry' : ''));
      expect(rest === undefined ? whole : whole.slice(0, spaced(text).length)).toBe(spaced(text));
    }
    const titles = new Map([
      ...drawn.nodes.map(({ id, text }) => [id, text] as const),
      ...subgraphs.map(({ id, title }) => [id, title] as const),
    ]);
    const parents = new Set(nodes.map(({ parent }) => parent));
    expect(subgraphs).toHaveLength(parents.size - 1);
    for (const { name, kind, id, status, parent } of nodes) {
      const [shown = '', rest] = (titles.get(number(id)) ?? 'none').split('<br/>');
      expect([id, spaced(shown)]).toEqual([id, spaced(name)]);
      if (rest !== undefined) expect(rest.startsWith(kind)).toBe(true);
      const holder = subgraphs.find(({ nodes }) => nodes.includes(number(id)));
      expect(holder?.id).toBe(parent === null ? undefined : number(parent));
      const drawnAs =
        subgraphs.find((one) => one.id === number(id)) ?? drawn.nodes.find((one) => one.id === number(id));
      expect(drawnAs?.classes).toEqual(status ? ['failed'] : []);
    }
  }
});

test('A document of 1,000 tasks is a graph in one pass, and one whose pointers have no end is refused', () => {
  const tasks = Array.from({ length: 1_000 }, (_, at) => ({ [`t${at}`]: { set: { at } } }));
  const graph = graphOf(listOf(tasks));
  expect([graph.nodes.length, graph.edges.length]).toEqual([1_002, 1_001]);
  expect(mermaidOf(graph).split('\n')).toHaveLength(2_004);
  const deep = Array.from({ length: 60 }).reduce<unknown>(
    (inner) => [{ ['n'.repeat(200)]: { do: inner } }],
    tasks,
  );
  expect(() => graphOf(listOf(deep))).toThrow(/nest less/);
});
