/** A kind of run that needs nothing but to be started. */
export interface Program {
  name: string;
  steps: unknown[];
  /** Of the whole document, beside `do`. */
  document?: object;
  input?: unknown;
  ends: 'completed' | 'failed';
}

/** The name of the secret that these use. */
export const SECRET_NAME = 'door';

export function shell(command: string, more: object = {}) {
  return { run: { shell: { command, ...more } } };
}
export const raise = (detail: string) => ({
  raise: { error: { type: 'https://example.org/errors/no', title: 'No', status: 409, detail } },
});
export const errorType = (name: string) => `https://open-workflow-specification.org/dsl/errors/types/${name}`;
export const runtime = { errors: { with: { type: errorType('runtime') } } };

/** A task that takes too long, whose timeout is caught. */
export function limited(name: string, task: object, after: string) {
  return {
    [`${name}-caught`]: {
      try: [{ [name]: { ...task, timeout: { after } } }],
      catch: { errors: { with: { type: errorType('timeout') } }, do: [{ late: { set: { late: true } } }] },
    },
  };
}
