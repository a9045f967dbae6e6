import { pointer } from '../../pointer.ts';
import type { Children } from '../dsl/kind.ts';
import { kindOf } from '../dsl/kinds.ts';
import { entryOf, type TaskItem, type TaskList, type TryTask } from '../dsl.ts';
import type { GraphEdge, GraphNode } from '../graph.ts';
import { catchLabel, cut, labelOf } from './labels.ts';

export interface Pen {
  node(node: GraphNode): void;
  edge(edge: GraphEdge): void;
}

/** Where a list of tasks is. */
interface Place {
  /** What the tasks are in. */
  parent: string | null;
  /** Where the last task leads, and `exit`. */
  after: string;
  afterKind: GraphEdge['kind'];
  /** The catch that errors come to; else they end the run. */
  caughtBy: string;
}

/** Draws the flow of a document's tasks, from `start` to `end`. */
export function drawTasks(tasks: TaskList, pen: Pen): void {
  const place = { parent: null, after: 'end', afterKind: 'next', caughtBy: 'end' } as const;
  drawList(pen, tasks, '/do', { from: 'start', kind: 'next' }, place);
}

type Entry = Pick<GraphEdge, 'from' | 'kind'>;

function drawList(pen: Pen, tasks: TaskList, path: string, entry: Entry, place: Place): void {
  const ids = new Map(tasks.map((item, at) => [entryOf(item)[0], pointer(path, at, entryOf(item)[0])]));
  const order = [...ids.values()];
  pen.edge({ ...entry, ...(order[0] === undefined ? leaving(place) : { to: order[0] }) });
  for (const [at, item] of tasks.entries()) {
    const next = order[at + 1];
    drawTask(pen, item, order[at] ?? '', place, {
      next: next === undefined ? leaving(place) : { to: next, kind: 'next' },
      target: (name) => ids.get(name) ?? place.after,
    });
  }
}

const leaving = ({ after, afterKind }: Place): Way => ({ to: after, kind: afterKind });

type Way = Pick<GraphEdge, 'to' | 'kind'>;

interface Ways {
  /** Of `continue`. */
  next: Way;
  /** Of a task's name. */
  target(name: string): string;
}

function drawTask(pen: Pen, item: TaskItem, id: string, place: Place, ways: Ways): void {
  const [name, task] = entryOf(item);
  const kind = kindOf(task);
  const label = labelOf(task);
  pen.node({
    ...{ id, name, kind: kind.keyword, parent: place.parent },
    ...(label === undefined ? {} : { label }),
    ...(task.if === undefined ? {} : { if: cut(task.if) }),
  });
  /** What a flow directive adds to an edge. */
  const way = (directive: string | undefined): Pick<GraphEdge, 'to' | 'kind' | 'label'> => {
    if (directive === undefined || directive === '' || directive === 'continue') return ways.next;
    if (directive === 'exit' && place.afterKind === 'join') return ways.next;
    const to = directive === 'end' ? 'end' : directive === 'exit' ? place.after : ways.target(directive);
    return { to, kind: 'then', label: cut(directive) };
  };
  const own = way(task.then);
  if ('raise' in task) pen.edge({ from: id, to: place.caughtBy, kind: 'error' });
  else if ('switch' in task) drawCases(pen, task.switch, id, way, own);
  else pen.edge({ from: id, ...own });
  const mayFall = 'raise' in task || 'switch' in task || own !== ways.next;
  if (task.if !== undefined && mayFall)
    pen.edge({ from: id, to: ways.next.to, kind: 'skip', label: 'if not' });

  const inside = { parent: id, after: id, caughtBy: place.caughtBy };
  const called = kind.called?.(task);
  if (called) {
    const only = pointer(id, ...called.path);
    const body = pointer(only, entryOf(called.item)[0]);
    pen.edge({ from: id, to: body, kind: 'enter' });
    drawTask(pen, called.item, body, { ...inside, afterKind: 'leave' }, alone(id, 'leave'));
  }
  if ('try' in task) drawTry(pen, task, id, place, way);
  else drawChildren(pen, kind.children(task), id, inside, kind.keyword === 'do' ? 'leave' : 'loop');
}

function drawChildren(
  pen: Pen,
  children: Children[],
  from: string,
  inside: Omit<Place, 'afterKind'>,
  back: GraphEdge['kind'],
): void {
  for (const { path: below, tasks, parallel } of children) {
    const path = pointer(from, ...below);
    if (parallel) drawBranches(pen, tasks, path, { ...inside, afterKind: 'join' });
    else if (tasks.length > 0)
      drawList(pen, tasks, path, { from, kind: 'enter' }, { ...inside, afterKind: back });
  }
}

/** A task that is in no list. */
const alone = (after: string, kind: GraphEdge['kind']): Ways => ({
  next: { to: after, kind },
  target: () => after,
});

type Directed = (directive: string | undefined) => Pick<GraphEdge, 'to' | 'kind' | 'label'>;

function drawCases(
  pen: Pen,
  cases: { [name: string]: { when?: string; then: string } }[],
  from: string,
  way: Directed,
  otherwise: ReturnType<Directed>,
): void {
  const all = cases.flatMap((item) => Object.entries(item));
  for (const [name, { when, then }] of all)
    pen.edge({
      from,
      to: way(then).to,
      kind: 'case',
      label: cut(when === undefined ? name : `${name}: ${when}`),
    });
  if (all.every(([, { when }]) => when !== undefined)) pen.edge({ from, label: 'no case', ...otherwise });
}

/** Branches have no order: what one says of where to go on means nothing, but `end`. */
function drawBranches(pen: Pen, branches: TaskList, path: string, place: Place): void {
  for (const [at, item] of branches.entries()) {
    const [name] = entryOf(item);
    const id = pointer(path, at, name);
    pen.edge({ from: place.after, to: id, kind: 'branch' });
    drawTask(pen, item, id, place, alone(place.after, 'join'));
  }
}

/** The two parts of a `try` are nodes of their own. */
function drawTry(pen: Pen, task: TryTask, id: string, place: Place, way: Directed): void {
  const [tasks, caught] = [pointer(id, 'try'), pointer(id, 'catch')];
  const { retry, do: handler, then, errors, when, exceptWhen } = task.catch;
  pen.edge({ from: id, to: tasks, kind: 'enter' });
  pen.node({ id: tasks, name: 'try', kind: 'tasks', parent: id });
  pen.edge({ from: tasks, to: id, kind: 'leave' });
  const label = catchLabel({ with: errors?.with, when, exceptWhen });
  pen.edge({ from: tasks, to: caught, kind: 'error', ...(label === undefined ? {} : { label }) });
  if (task.try.length > 0)
    drawList(
      pen,
      task.try,
      pointer(id, 'try'),
      { from: tasks, kind: 'enter' },
      {
        ...{ parent: tasks, after: tasks, afterKind: 'leave', caughtBy: caught },
      },
    );
  pen.node({ id: caught, name: 'catch', kind: 'catch', parent: id });
  if (retry !== undefined) pen.edge({ from: caught, to: tasks, kind: 'retry' });
  // A caught error of which nothing was said but to try again goes on when that did not help.
  if (retry !== undefined && handler === undefined && then === undefined)
    pen.edge({ from: caught, to: place.caughtBy, kind: 'error' });
  else pen.edge({ from: caught, ...(then === undefined ? { to: id, kind: 'leave' as const } : way(then)) });
  if (handler !== undefined && handler.length > 0)
    drawList(
      pen,
      handler,
      pointer(caught, 'do'),
      { from: caught, kind: 'enter' },
      {
        ...{ parent: caught, after: caught, afterKind: 'leave', caughtBy: place.caughtBy },
      },
    );
}
