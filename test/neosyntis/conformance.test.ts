import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AstBuilder, GherkinClassicTokenMatcher, Parser } from '@cucumber/gherkin';
import { IdGenerator } from '@cucumber/messages';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { Served } from '../support/http-server.ts';
import { enterWorld, expectStatus, type Run, type TestUser, type World } from '../support/world.ts';
import { serveForConformance } from './conformance-servers.ts';
import { expectAs } from './conformance-steps.ts';

const kit = join('test', 'kits', 'ows-ctk');
const base = '/api/neosyntis/workflows';

/** What is said of what examples need and is not there, and which they are; `.yaml` is left out. */
const refusedExamples: Record<string, string[]> = {
  '`call: asyncapi` is not supported yet': [
    'call-asyncapi-publish',
    'call-asyncapi-subscribe-consume-amount',
    'call-asyncapi-subscribe-consume-forever-foreach',
    'call-asyncapi-subscribe-consume-until',
    'call-asyncapi-subscribe-consume-while',
  ],
  'is not valid jq: $message is not defined': ['call-asyncapi-subscribe-consume-forever-foreach'],
  '`call: grpc` is not supported yet': ['call-grpc'],
};

const parser = new Parser(new AstBuilder(IdGenerator.uuid()), new GherkinClassicTokenMatcher());
const scenarios = readdirSync(join(kit, 'features')).flatMap((file) =>
  (parser.parse(readFileSync(join(kit, 'features', file), 'utf8')).feature?.children ?? []).flatMap(
    ({ scenario }) => (scenario ? [scenario] : []),
  ),
);
const textOf = ({ steps }: (typeof scenarios)[number], sentence: string) =>
  steps.find(({ text }) => text === sentence)?.docString?.content;

let world: World;
let user: TestUser;
let servers: Served;
/** The run of each scenario, or how its definition was refused. */
const outcomes = new Map<string, Run>();
const checked = new Map<string, Run>();

/** As a good client does it: on a slow machine the user's share of checking may be spent. */
async function importText(text: string, query = ''): Promise<Run> {
  const response = await fetch(`${world.url}${base}/import${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/yaml' },
    body: text,
  });
  if ([200, 201, 422].includes(response.status)) return (await response.json()) as Run;
  const seconds = Number(response.headers.get('retry-after'));
  if (response.status !== 429 && response.status !== 503)
    throw new Error(`import: ${response.status} ${await response.text()}`);
  await new Promise((resolve) => setTimeout(resolve, (seconds || 1) * 1_000));
  return importText(text, query);
}

const onThisMachine = (text: string) =>
  text.replaceAll(
    /https:\/\/(petstore\.swagger\.io|httpbin\.org|raw\.githubusercontent\.com)/g,
    servers.origin,
  );

const definitionOf = (scenario: (typeof scenarios)[number]) =>
  onThisMachine(textOf(scenario, 'a workflow with definition:') ?? '');

async function execute(scenario: (typeof scenarios)[number], workflow: Run): Promise<Run> {
  if (workflow.errors) return workflow;
  const input = textOf(scenario, 'given the workflow input is:');
  const started = await expectStatus(
    202,
    world.api('POST', `${base}/${workflow.id}/trigger`, {
      token: user.token,
      body: { input: input === undefined ? {} : parse(input) },
    }),
  );
  return world.untilRun(user, started.run_id, ({ status }) =>
    ['completed', 'failed', 'cancelled'].includes(status),
  );
}

const examples = readdirSync(join(kit, 'examples')).filter((file) => file.endsWith('.yaml'));

beforeAll(async () => {
  [world, servers] = await Promise.all([enterWorld(), serveForConformance()]);
  user = await world.newUser('operator', { runsCode: true });
  // One check after another: each takes the thread that answers everybody. The runs are under way together.
  const runs: Promise<void>[] = [];
  for (const scenario of scenarios) {
    const workflow = await importText(definitionOf(scenario));
    runs.push(execute(scenario, workflow).then((run) => void outcomes.set(scenario.name, run)));
  }
  for (const file of examples)
    checked.set(
      file,
      await importText(
        onThisMachine(readFileSync(join(kit, 'examples', file), 'utf8')),
        '?validate_only=true',
      ),
    );
  await Promise.all(runs);
});
afterAll(async () => {
  await servers.close();
  await world.close();
});

describe('The conformance test kit of the specification', () => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (name, scenario) => {
    const run = outcomes.get(name) ?? {};
    expect(run.errors).toBeUndefined();
    let asserted = 0;
    const executed = scenario.steps.findIndex(({ text }) => text === 'the workflow is executed');
    for (const { text, docString } of scenario.steps.slice(executed + 1)) {
      expectAs(run, text, docString?.content);
      asserted++;
    }
    expect(asserted).toBeGreaterThan(0);
  });
});

describe('The examples of the specification', () => {
  test.each(examples)('%s is valid, or refused by naming what is not there', (file) => {
    const { valid, errors = [] } = checked.get(file) ?? {};
    const wanted = Object.keys(refusedExamples).filter((said) =>
      refusedExamples[said]?.includes(file.replace('.yaml', '')),
    );
    const messages: string[] = errors.map(({ message }: { message: string }) => message);
    const said = messages.map((message) => wanted.find((one) => message.startsWith(one)) ?? message);
    expect([...new Set(said)].sort()).toEqual(wanted.sort());
    expect(valid ?? false).toBe(wanted.length === 0);
  });

  test('of which no other is refused, and none is listed that is not there', () => {
    const listed = Object.values(refusedExamples).flat();
    expect(listed.filter((name) => !examples.includes(`${name}.yaml`))).toEqual([]);
  });
});
