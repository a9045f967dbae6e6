import { type Static, Type } from 'typebox';
import type { InputProblem } from '../errors.ts';
import { SCRIPT_LIMIT } from '../neosyntis/dsl/run.ts';
import { isObject } from '../neosyntis/json.ts';
import { HostName } from '../system/hosts.ts';
import { AnyJson, Id, type Json, literals } from '../wire.ts';

const closed = { additionalProperties: false } as const;

/** What every action may say of its attempts. */
const attempts = {
  timeoutSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 2_592_000,
      description:
        'of one attempt, which is cancelled then; unless given a day for a workflow, an hour for a script, two minutes for an agent and for a request',
    }),
  ),
  retry: Type.Optional(
    Type.Object(
      {
        attempts: Type.Integer({ minimum: 1, maximum: 100, description: 'the first one included' }),
        delaySeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400, description: '10' })),
        factor: Type.Optional(
          Type.Number({ minimum: 1, maximum: 10, description: 'of each delay over the one before; 2' }),
        ),
      },
      closed,
    ),
  ),
};

export const WorkflowAction = Type.Object(
  {
    type: Type.Literal('workflow'),
    workflowId: Id,
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'the newest one without it' })),
    input: Type.Optional(AnyJson),
    ...attempts,
  },
  closed,
);

export const ScriptAction = Type.Object(
  {
    type: Type.Literal('script'),
    language: literals(['shell', 'js', 'python']),
    code: Type.String({ minLength: 1, maxLength: SCRIPT_LIMIT, pattern: '^[^\\u0000]*$' }),
    host: Type.Optional(HostName),
    arguments: Type.Optional(Type.Array(Type.String({ maxLength: 10_000 }), { maxItems: 1_000 })),
    environment: Type.Optional(Type.Record(Type.String({ maxLength: 1_000 }), Type.String())),
    stdin: Type.Optional(Type.String()),
    ...attempts,
  },
  closed,
);

export const AgentAction = Type.Object(
  {
    type: Type.Literal('agent'),
    agentId: Id,
    command: literals(['start', 'stop', 'restart']),
    ...attempts,
  },
  closed,
);

export const ApiAction = Type.Object(
  {
    type: Type.Literal('api'),
    url: Type.String({ minLength: 1, maxLength: 10_000 }),
    method: Type.Optional(Type.String({ minLength: 1, maxLength: 20, description: 'GET' })),
    headers: Type.Optional(Type.Record(Type.String({ maxLength: 1_000 }), Type.String())),
    query: Type.Optional(Type.Record(Type.String({ maxLength: 1_000 }), Type.String())),
    body: Type.Optional(AnyJson),
    authentication: Type.Optional({ ...AnyJson, description: 'as in `endpoint` of `call: http`' }),
    expect: Type.Optional(
      Type.Object(
        {
          status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), {
            minItems: 1,
            maxItems: 50,
            description: 'what counts as success; any of 200 to 299 without it',
          }),
        },
        closed,
      ),
    ),
    ...attempts,
  },
  closed,
);

/** What a task does at each tick. */
export const TaskAction = Type.Union([WorkflowAction, ScriptAction, AgentAction, ApiAction]);
export type TaskAction = Static<typeof TaskAction>;

export const actionTypes = ['workflow', 'script', 'agent', 'api'] as const;
export type ActionType = (typeof actionTypes)[number];

export const actionSchemas = {
  workflow: WorkflowAction,
  script: ScriptAction,
  agent: AgentAction,
  api: ApiAction,
} as const;

const usualTimeoutMs: Record<ActionType, number> = {
  workflow: 86_400_000,
  script: 3_600_000,
  agent: 120_000,
  api: 120_000,
};

/** How often an action is tried, and how long. */
export interface Attempts {
  timeoutMs: number;
  attempts: number;
  delayMs: number;
  factor: number;
}

export const attemptsOf = ({ type, timeoutSeconds, retry }: TaskAction): Attempts => ({
  timeoutMs: timeoutSeconds === undefined ? usualTimeoutMs[type] : timeoutSeconds * 1_000,
  attempts: retry?.attempts ?? 1,
  delayMs: (retry?.delaySeconds ?? 10) * 1_000,
  factor: retry?.factor ?? 2,
});

/** `action` as it was sent, read: an object, its JSON, or a bare word whose target is beside it. */
export function readAction(
  sent: unknown,
  target: string | undefined,
): { value: Json; path: string } | { problems: InputProblem[] } {
  const isWord = typeof sent === 'string' && !sent.trim().startsWith('{');
  if (!isWord && target !== undefined)
    return one('/target', `goes with an action that is one word: ${actionTypes.join(', ')}`);
  if (!isWord) return typeof sent === 'string' ? parsed(sent) : { value: sent as Json, path: '/action' }; // a body is JSON
  const word = sent.trim();
  if (!isActionType(word))
    return one('/action', `is none of ${actionTypes.join(', ')}, nor an object or its JSON`);
  if (target === undefined)
    return one('/target', `is missing: what the ${word} is (an id, a script or a URL)`);
  return { value: { type: word, ...bare[word](target) }, path: '/target' };
}

export const isActionType = (word: unknown): word is ActionType => actionTypes.some((type) => type === word);

function parsed(text: string): { value: Json; path: string } | { problems: InputProblem[] } {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return { value: value as Json, path: '/action' }; // JSON.parse gives JSON
  } catch {
    // said below
  }
  return one('/action', 'is text that is neither an action’s JSON nor one of its words');
}

const one = (path: string, message: string) => ({ problems: [{ path, message }] });

const bare: Record<ActionType, (target: string) => { [key: string]: Json }> = {
  workflow: (workflowId) => ({ workflowId }),
  agent: (agentId) => ({ agentId, command: 'start' }),
  api: (url) => ({ url }),
  script: (code) => ({ language: languageOf(code), code }),
};

/** By its first line, as systems do. */
function languageOf(code: string): 'shell' | 'js' | 'python' {
  const [first = ''] = code.split('\n', 1);
  if (!first.startsWith('#!')) return 'shell';
  return /\bpython/.test(first) ? 'python' : /\bnode\b/.test(first) ? 'js' : 'shell';
}
