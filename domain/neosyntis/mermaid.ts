import type { Graph, GraphEdge, GraphNode } from './graph.ts';
import type { StepStatus } from './runs.ts';

/** How a step's status shows. */
const looks: Record<StepStatus, string> = {
  pending: 'fill:#f3f4f6,stroke:#9ca3af,color:#111827',
  running: 'fill:#dbeafe,stroke:#2563eb,color:#111827',
  waiting: 'fill:#fef9c3,stroke:#ca8a04,color:#111827',
  completed: 'fill:#dcfce7,stroke:#16a34a,color:#111827',
  failed: 'fill:#fee2e2,stroke:#dc2626,color:#111827',
  skipped: 'fill:#f3f4f6,stroke:#9ca3af,color:#6b7280',
  cancelled: 'fill:#e5e7eb,stroke:#4b5563,color:#111827',
  unknown: 'fill:#fae8ff,stroke:#c026d3,color:#111827',
};

const loops = ['for', 'listen'];

/**
 * A graph as a Mermaid flowchart: a subgraph for each task that holds others, in which a node stands for where it
 * begins (`…i`) and, unless it is a loop, one for where it ends (`…o`): Mermaid has no arrows from a subgraph into itself.
 */
export function mermaidOf({ nodes, edges }: Graph): string {
  const ids = new Map(nodes.map((node, at) => [node.id, `n${at}`]));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const inside = new Map<string | null, GraphNode[]>();
  for (const node of nodes) addTo(inside, node.parent, node);
  const lines = ['flowchart TD'];

  const idOf = (id: string) => ids.get(id) ?? '';
  const head = (id: string) => `${idOf(id)}${inside.has(id) ? 'i' : ''}`;
  const tail = (id: string) =>
    inside.has(id) && !loops.includes(byId.get(id)?.kind ?? '') ? `${idOf(id)}o` : head(id);

  function draw(node: GraphNode, depth: number): void {
    const indent = '  '.repeat(Math.min(depth, 8));
    const children = inside.get(node.id);
    if (!children) return void lines.push(`${indent}${idOf(node.id)}${shaped(node)}`);
    lines.push(`${indent}subgraph ${idOf(node.id)}["${caption(node)}"]`);
    lines.push(`${indent}  ${head(node.id)}((" "))`);
    for (const child of children) draw(child, depth + 1);
    if (tail(node.id) !== head(node.id)) lines.push(`${indent}  ${tail(node.id)}((" "))`);
    lines.push(`${indent}end`);
  }

  for (const node of inside.get(null) ?? []) draw(node, 1);
  for (const edge of edges) {
    const isBack = byId.get(edge.from)?.parent === edge.to;
    const from = fromHead.includes(edge.kind)
      ? head(edge.from)
      : whole(edge)
        ? idOf(edge.from)
        : tail(edge.from);
    const label = edge.label ?? (edge.kind === 'retry' ? 'retry' : undefined);
    const text = label === undefined ? '' : `|"${escaped(label)}"|`;
    lines.push(`  ${from} ${arrow(edge)}${text} ${isBack ? tail(edge.to) : head(edge.to)}`);
  }
  return [...lines, ...classes(nodes, idOf)].join('\n');
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

const fromHead: readonly GraphEdge['kind'][] = ['enter', 'branch', 'skip', 'retry'];

/** Any task in the list may fail: the arrow comes from all of it. */
const whole = ({ kind, from, to }: GraphEdge) =>
  kind === 'error' && to === `${from.slice(0, from.lastIndexOf('/'))}/catch` && from.endsWith('/try');

const arrow = ({ kind }: GraphEdge) => (['error', 'retry', 'skip'].includes(kind) ? '-.->' : '-->');

function shaped(node: GraphNode): string {
  const text = `"${caption(node)}"`;
  if (node.kind === 'start' || node.kind === 'end') return `([${text}])`;
  return node.kind === 'switch' ? `{${text}}` : `[${text}]`;
}

function caption({ name, kind, label, visits = 0 }: GraphNode): string {
  const times = visits > 1 ? ` ×${visits}` : '';
  if (name === kind || kind === 'tasks') return `${escaped(name)}${times}`;
  return `${escaped(name)}${times}<br/>${escaped(label === undefined ? kind : `${kind}: ${label}`)}`;
}

const MOST = 60;

/**
 * A text inside of quotes: what may mean something to Mermaid, Markdown or HTML is an entity code. What has no code
 * (control characters, halves of pairs) is a space.
 */
export function escaped(text: string): string {
  const characters = [...text.slice(0, MOST * 4)];
  const shown =
    characters.length > MOST || text.length > MOST * 4 ? [...characters.slice(0, MOST - 1), '…'] : characters;
  return shown
    .map((one) => {
      if (/^[\p{L}\p{N}\p{M} ,…-]$/u.test(one)) return one;
      return /^[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]$/u.test(one) ? ' ' : `#${one.codePointAt(0)};`;
    })
    .join('');
}

function classes(nodes: readonly GraphNode[], idOf: (id: string) => string): string[] {
  const byStatus = new Map<StepStatus, string[]>();
  for (const { id, status } of nodes) if (status) addTo(byStatus, status, idOf(id));
  return [...byStatus].flatMap(([status, ids]) => [
    `  classDef ${status} ${looks[status]}`,
    `  class ${ids.join(',')} ${status}`,
  ]);
}
