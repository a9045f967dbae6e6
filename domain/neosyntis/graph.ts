import { type Static, Type } from 'typebox';
import { AppError } from '../errors.ts';
import { literals, nullable } from '../wire.ts';
import type { TaskList } from './dsl.ts';
import { drawTasks } from './graph/flow.ts';
import { stepStatuses } from './runs.ts';

export const edgeKinds = [
  'next',
  'then',
  'case',
  'skip',
  'enter',
  'leave',
  'branch',
  'join',
  'loop',
  'error',
  'retry',
] as const;

export const GraphNode = Type.Object(
  {
    id: Type.String({
      description: 'JSON pointer to the task in the document; also `start` and `end`',
      examples: ['/do/0/measure'],
    }),
    name: Type.String(),
    kind: Type.String({
      description: 'the task’s keyword; of the two parts of a `try` task `tasks` and `catch`; `start`, `end`',
    }),
    parent: nullable(Type.String({ description: 'the node that this one is in' })),
    label: Type.Optional(Type.String({ description: 'what it does, cut' })),
    if: Type.Optional(Type.String({ description: 'the condition without which it is skipped, cut' })),
    status: Type.Optional(nullable(literals(stepStatuses))),
    visits: Type.Optional(
      Type.Integer({ description: 'how often it was begun, in rounds of loops and by `then`' }),
    ),
    attempt: Type.Optional(nullable(Type.Integer({ description: 'of its latest visit' }))),
  },
  { $id: 'GraphNode' },
);
export type GraphNode = Static<typeof GraphNode>;

export const GraphEdge = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    kind: literals(edgeKinds),
    label: Type.Optional(Type.String()),
  },
  { $id: 'GraphEdge' },
);
export type GraphEdge = Static<typeof GraphEdge>;

export const WorkflowGraph = Type.Object(
  {
    version: Type.Integer(),
    nodes: Type.Array(GraphNode, { description: 'in the order written, outer before inner' }),
    edges: Type.Array(GraphEdge, {
      description:
        'between tasks of one list, from a task to those in it (`enter`, `branch`) and back (`leave`, `join`, `loop`)',
    }),
    mermaid: Type.String({ description: 'the same as a Mermaid flowchart' }),
  },
  { $id: 'WorkflowGraph' },
);
export type WorkflowGraph = Static<typeof WorkflowGraph>;

export type Graph = Pick<WorkflowGraph, 'nodes' | 'edges'>;

/** Characters of all ids together: names of 200 characters, 64 deep, make pointers that no picture is made of. */
const MOST_ID_CHARACTERS = 4_000_000;

/**
 * The tasks of a document as it runs (use.ts), and where each leads.
 * @throws AppError `invalid` when its pointers together are too long
 */
export function graphOf(document: { do: TaskList }): Graph {
  const graph: Graph = { nodes: [{ id: 'start', name: 'start', kind: 'start', parent: null }], edges: [] };
  let characters = 0;
  const count = (...ids: string[]) => {
    for (const id of ids) characters += id.length;
    if (characters > MOST_ID_CHARACTERS)
      throw new AppError(
        'invalid',
        `The JSON pointers of its tasks have more than ${MOST_ID_CHARACTERS} characters together: nest less, or shorten names.`,
      );
  };
  drawTasks(document.do, {
    node(node) {
      count(node.id, node.parent ?? '');
      graph.nodes.push(node);
    },
    edge(edge) {
      count(edge.from, edge.to);
      graph.edges.push(edge);
    },
  });
  graph.nodes.push({ id: 'end', name: 'end', kind: 'end', parent: null });
  return graph;
}

/** What a run did at one task. */
export type NodeState = Required<Pick<GraphNode, 'status' | 'visits' | 'attempt'>>;

/** Lays a run on a graph; tasks that it did not reach have null. */
export const withStates = (graph: Graph, states: ReadonlyMap<string, NodeState>): Graph => ({
  ...graph,
  nodes: graph.nodes.map((node) =>
    ['start', 'end', 'tasks', 'catch'].includes(node.kind)
      ? node
      : { ...node, ...(states.get(node.id) ?? { status: null, visits: 0, attempt: null }) },
  ),
});
