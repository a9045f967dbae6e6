import type { Json } from '../wire.ts';
import type { TaskAction } from './task-actions.ts';

const communication = 'https://open-workflow-specification.org/dsl/errors/types/communication';

/** The steps that a script or a request runs as; nothing for what is run by itself. */
export function stepsOf(action: TaskAction): Json[] | undefined {
  if (action.type === 'script') return [{ script: scriptTask(action) }];
  return action.type === 'api' ? requestTasks(action) : undefined;
}

type Script = Extract<TaskAction, { type: 'script' }>;

function scriptTask({ language, code, host, arguments: list, environment, stdin }: Script): Json {
  const given: { [key: string]: Json } = {
    ...(list === undefined ? {} : { arguments: list }),
    ...(environment === undefined ? {} : { environment }),
    ...(stdin === undefined ? {} : { stdin }),
  };
  const run: { [key: string]: Json } =
    language === 'shell' ? { shell: { command: code, ...given } } : { script: { language, code, ...given } };
  // Whether it had its effect on a host that was lost is for people to see: the tick fails then.
  const metadata = { onUnknown: 'fail', ...(host === undefined ? {} : { host }) };
  return { run, metadata };
}

type Request = Extract<TaskAction, { type: 'api' }>;

function requestTasks({ url, method, headers, query, body, authentication, expect }: Request): Json[] {
  const request: { [key: string]: Json } = {
    method: method ?? 'GET',
    endpoint: authentication === undefined ? url : { uri: url, authentication },
    ...(headers === undefined ? {} : { headers }),
    ...(query === undefined ? {} : { query }),
    ...(body === undefined ? {} : { body }),
    output: 'response',
  };
  const call = { request: { call: 'http', with: request, metadata: { onUnknown: 'fail' } } };
  if (!expect) return [call];
  const list = `[${expect.status.join(', ')}]`;
  return [
    {
      expected: {
        try: [call],
        catch: {
          as: 'failure',
          when: `\${ $failure.status as $status | ${list} | index($status) != null }`,
          do: [{ accepted: { set: { statusCode: '${ $failure.status }' } } }],
        },
      },
    },
    {
      check: {
        if: `\${ .statusCode as $status | ${list} | index($status) == null }`,
        raise: {
          error: {
            type: communication,
            status: 502,
            title: 'Unexpected status',
            detail: `\${ "It answered \\(.statusCode); expected \\(${list} | map(tostring) | join(", "))" }`,
          },
        },
      },
    },
  ];
}
