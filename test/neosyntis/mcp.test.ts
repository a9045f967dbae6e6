// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema, McpError } from '@modelcontextprotocol/sdk/types.js';
import { importDocument, runDocument } from '../support/documents.ts';
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
      // Long enough that it has been asked by then, on a slow machine too.
      run('never', { timeout: { seconds: 10 } }),
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

/** A server of a few lines, which greets where it should not, and leaves a child behind. */
const server = `
import json, os, subprocess, sys
print("hello, this is no message", flush=True)
subprocess.Popen(["sleep", "3600"], start_new_session=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message: continue
    asked = message.get("params", {})
    if message["method"] == "initialize":
        result = {"protocolVersion": asked["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif asked["name"] == "leave": sys.exit(3)
    elif asked["name"] == "refuse":
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "no such thing"}}), flush=True)
        continue
    elif asked["name"] == "never": continue
    else: result = {"content": [{"type": "text", "text": asked["name"] + " " + os.environ["TOKEN"] + " " + str(asked["arguments"])}], "home": os.environ["HOME"]}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
`;

describe('call: mcp by transport.stdio', () => {
  const stdio = (name: string, more: object = {}) => ({
    call: 'mcp',
    with: {
      method: 'tools/call',
      parameters: { name, arguments: { n: '${ .n }', key: `\${ $secrets.${secret} }` } },
      transport: {
        stdio: {
          command: 'python3',
          arguments: ['-c', server],
          environment: { TOKEN: `\${ $secrets.${secret} }` },
        },
      },
      ...more,
    },
  });
  const secret = `s_${randomUUID().slice(0, 8)}`;

  test('is a code step on a host: for those who may, with its secrets hidden, ended when it answers not', async () => {
    const coder = await world.newUser('operator', { runsCode: true });
    for (const { token } of [coder, user])
      await world.api('POST', '/api/neosyntis/secrets', {
        token,
        body: { name: secret, value: 'hush hush' },
      });
    expect((await importDocument(world, user, {}, [{ ask: stdio('add') }])).status).toBe(403);
    const run = (name: string, more: object = {}) =>
      runDocument(world, coder, { list: [{ ask: stdio(name, more) }], input: { n: 7 } });
    const [added, refused, left, never] = await Promise.all([
      run('add'),
      run('refuse'),
      run('leave'),
      run('never', { timeout: { seconds: 4 } }),
    ]);
    expect([added.error, added.output?.content]).toEqual([
      null,
      [{ type: 'text', text: "add *** {'n': 7, 'key': '***'}" }],
    ]);
    expect(added.steps[0]).toMatchObject({ kind: 'call', host: 'local' });
    expect([refused, left, never].map(({ error }) => [error.type, error.detail])).toEqual([
      [type('runtime'), 'The MCP server: JSON-RPC error -32602: no such thing.'],
      [type('runtime'), expect.stringContaining('exit code 3')],
      [type('timeout'), expect.stringContaining('killed with all its processes')],
    ]);
  });
});
