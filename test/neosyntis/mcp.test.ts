// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import { runDocument } from '../support/documents.ts';
import { type Served, serveHttp } from '../support/http-server.ts';
import { enterWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
let served: Served;
const calls: string[] = [];
const requests: { method: string | undefined; authorization: string | undefined; version: unknown }[] = [];
const sessions = new Map<string, StreamableHTTPServerTransport>();

/** A session of a server by the protocol's own SDK. */
async function newSession(): Promise<StreamableHTTPServerTransport> {
  const server = new Server({ name: 'adder', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [{ name: 'add', inputSchema: { type: 'object' as const } }],
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    calls.push(params.name);
    if (params.name === 'refuse') throw new McpError(-32602, 'no such thing', { asked: params.name });
    if (params.name === 'never') return new Promise<never>(() => {});
    const { a, b } = params.arguments as { a: number; b: number };
    return { content: [{ type: 'text' as const, text: String(a + b) }] };
  });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  });
  await server.connect(transport as Parameters<typeof server.connect>[0]);
  return transport;
}

beforeAll(async () => {
  world = await enterWorld();
  user = await world.newUser();
  served = await serveHttp();
  served.on('/mcp', async (request, response) => {
    const { method, headers, body } = request;
    const message = body === '' ? undefined : JSON.parse(body);
    requests.push({
      method,
      authorization: headers.authorization,
      version: message?.params?.protocolVersion,
    });
    const id = headers['mcp-session-id'];
    const session = typeof id === 'string' ? sessions.get(id) : await newSession();
    if (!session) return response.writeHead(404).end();
    if (message?.params?.name === 'break') {
      calls.push('break');
      return response.destroy();
    }
    return session.handleRequest(request, response, message);
  });
});
afterAll(async () => {
  await served.close();
  await world.close();
});

const ask = (method: string, parameters?: object, more: object = {}) => ({
  call: 'mcp',
  with: {
    method,
    ...(parameters ? { parameters } : {}),
    transport: {
      http: { endpoint: { uri: `${served.origin}/mcp`, authentication: { bearer: { token: 'mcp-tok' } } } },
    },
    ...more,
  },
});
const type = (kind: string) => expect.stringMatching(new RegExp(`/${kind}$`));

describe('call: mcp', () => {
  test('lists and calls the tools of a server, in a session that it ends', async () => {
    const run = await runDocument(world, user, {
      list: [
        { list: { ...ask('tools/list'), export: { as: '.tools[0].name' } } },
        {
          add: ask(
            'tools/call',
            { name: '${ $context }', arguments: { a: 2, b: 3 } },
            { protocolVersion: '2025-03-26' },
          ),
        },
      ],
    });
    expect([run.error, run.output]).toEqual([null, { content: [{ type: 'text', text: '5' }] }]);
    // What is only read may be asked again.
    const versions = new Set(requests.map(({ version }) => version).filter(Boolean));
    expect([...versions]).toEqual(['2025-06-18', '2025-03-26']);
    expect(new Set(requests.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer mcp-tok']));
    expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(['POST', 'DELETE']));
  });

  test('gives the server’s error, and never repeats a tool whose end is unknown', async () => {
    const run = (name: string, more: object = {}) =>
      runDocument(world, user, { list: [{ ask: ask('tools/call', { name, arguments: {} }, more) }] });
    const [refused, broken, never, away] = await Promise.all([
      run('refuse'),
      run('break'),
      run('never', { timeout: { seconds: 3 } }),
      run('add', { transport: { http: { endpoint: `${served.origin}/nowhere` } } }),
    ]);
    expect(refused.error).toMatchObject({
      type: type('runtime'),
      detail: expect.stringContaining('JSON-RPC error -32602: no such thing ({"asked":"refuse"})'),
    });
    expect([refused, broken, never, away].map((one) => one.steps[0].status)).toEqual([
      'failed',
      'unknown',
      'unknown',
      'failed',
    ]);
    expect([never.error.type, away.error]).toEqual([
      type('timeout'),
      expect.objectContaining({ type: type('communication'), status: 404 }),
    ]);
    expect(calls.filter((name) => name === 'break')).toHaveLength(1);
  });
});
