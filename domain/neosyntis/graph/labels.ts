import type { Task } from '../dsl.ts';

const MOST = 200;

/** A text that a picture has room for. */
export function cut(text: string): string {
  // Of what is cut no half of a pair of surrogates stays.
  const characters = text.length > MOST ? [...text.slice(0, MOST * 2)] : [];
  return characters.length > MOST ? `${characters.slice(0, MOST - 1).join('')}…` : text;
}

/** What a task does in a few words, besides its kind and name. */
export function labelOf(task: Task): string | undefined {
  const text = words(task);
  return text === undefined || text === '' ? undefined : cut(text);
}

function words(task: Task): string | undefined {
  if ('call' in task) return task.call;
  if ('emit' in task) return asText(task.emit.event.with.type);
  if ('for' in task) {
    const { each = 'item', in: items } = task.for;
    const goesOn = task.while === undefined ? '' : `, while ${task.while}`;
    return `${each} in ${typeof items === 'string' ? items : `a list of ${items.length}`}${goesOn}`;
  }
  if ('fork' in task) return task.fork.compete ? 'the first one wins' : undefined;
  if ('listen' in task) return Object.keys(task.listen.to).join(', ');
  if ('raise' in task) return asText(task.raise.error.type);
  if ('run' in task) {
    const what = ['container', 'script', 'shell', 'workflow'].find((one) => Object.hasOwn(task.run, one));
    return 'workflow' in task.run ? `workflow ${task.run.workflow.name}` : what;
  }
  if ('wait' in task) return asText(task.wait);
  return undefined;
}

const asText = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : JSON.stringify(value);

/** Which errors a `catch` takes. */
export function catchLabel(of: {
  with: object | undefined;
  when: string | undefined;
  exceptWhen: string | undefined;
}): string | undefined {
  const filter = Object.entries(of.with ?? {}).map(([key, value]) => `${key} ${String(value)}`);
  const parts = [
    ...filter,
    ...(of.when === undefined ? [] : [`when ${of.when}`]),
    ...(of.exceptWhen === undefined ? [] : [`except when ${of.exceptWhen}`]),
  ];
  return parts.length === 0 ? undefined : cut(parts.join(', '));
}
