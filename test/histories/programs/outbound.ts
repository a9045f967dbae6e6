import { limited, type Program, SECRET_NAME } from './program.ts';

/** What asks other servers, of which one is at `origin` (test/histories/record.ts). */
export const outbound = (origin: string): Program[] => {
  const http = (path: string, more: object = {}) => ({
    call: 'http',
    with: { method: 'GET', endpoint: `${origin}${path}`, ...more },
  });
  return [
    {
      name: 'http',
      input: { id: 'a b' },
      steps: [
        { read: http('/things/{id}', { query: { page: 1 } }) },
        { write: http('/things', { method: 'POST', body: { n: '${ 1 }' }, output: 'response' }) },
        {
          caught: {
            try: [{ no: http('/missing') }],
            catch: { as: 'why', do: [{ say: { set: '${ $why.status }' } }] },
          },
        },
        { no: { call: 'http', with: { method: 'GET', endpoint: 'http://10.0.0.1/' } } },
      ],
      ends: 'failed',
    },
    {
      name: 'http-with-secret',
      steps: [
        {
          read: {
            call: 'http',
            with: {
              method: 'GET',
              endpoint: {
                uri: `${origin}/things/1`,
                authentication: { bearer: { token: `\${ $secrets.${SECRET_NAME} }` } },
              },
            },
          },
        },
      ],
      ends: 'completed',
    },
    {
      name: 'openapi',
      steps: [
        {
          thing: {
            call: 'openapi',
            with: {
              document: { endpoint: `${origin}/openapi.json` },
              operationId: 'getThing',
              parameters: { id: 1 },
            },
          },
        },
        {
          no: {
            call: 'mcp',
            with: { method: 'tools/list', transport: { http: { endpoint: `${origin}/missing` } } },
          },
        },
      ],
      ends: 'failed',
    },
    {
      name: 'outcome-unknown',
      steps: [
        {
          careful: {
            try: [
              {
                retried: {
                  call: 'http',
                  with: { method: 'POST', endpoint: `${origin}/broken`, body: {} },
                  metadata: { onUnknown: 'retry' },
                  timeout: { after: 'PT5S' },
                },
              },
            ],
            catch: { do: [{ go: { set: { on: true } } }] },
          },
        },
      ],
      ends: 'completed',
    },
    {
      name: 'http-retried',
      steps: [
        { tries: { try: [{ read: http('/broken') }], catch: { do: [{ go: { set: { on: true } } }] } } },
      ],
      ends: 'completed',
    },
    { name: 'http-timeout', steps: [limited('slow', http('/slow'), 'PT0.5S')], ends: 'completed' },
    {
      name: 'notify-email',
      steps: [
        { before: { set: { text: 'It is done.' } } },
        {
          mail: {
            call: 'notify.email',
            with: { to: 'ada@example.org', subject: 'Done', text: '${ .text }' },
          },
        },
      ],
      ends: 'completed',
    },
    {
      name: 'notify-webhook',
      steps: [
        {
          hook: {
            call: 'notify.webhook',
            with: { url: `${origin}/hook`, body: { type: 'run.done', data: '${ . }' } },
          },
        },
      ],
      ends: 'completed',
    },
  ];
};
