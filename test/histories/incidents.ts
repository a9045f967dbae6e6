import {
  agentWorkflowId,
  deviceWorkflowId,
  eventStartsId,
  notificationWorkflowId,
  PLATFORM_QUEUE,
  pacerId,
  RECONCILER_SCHEDULE,
  RETENTION_SCHEDULE,
  scheduleIdOf,
  taskRunId,
  workflowTypes,
} from '../../domain/names.ts';
import { until } from '../support/client.ts';
import { expectStatus, type Run } from '../support/world.ts';
import { interruptedProgram, jobSteps, openJob } from './device-jobs.ts';
import {
  DEADLINE_MS,
  type Events,
  type Here,
  HOUR,
  isStatus,
  isWaiting,
  shell,
  start,
  untilHistory,
} from './here.ts';

/** Its server answers that it should be tried later. */
export const BUSY_MAILBOX = 'busy@example.org';

/** A kind of run to which something happens, until it is as it is to be recorded. @returns its id */
export type Incident = (here: Here) => Promise<string>;

const cancelled =
  (name: string, step: (here: Here) => object): Incident =>
  async (here) => {
    const { world, user } = here;
    const id = await start(here, [{ first: { set: { n: 1 } } }, { long: step(here) }], name);
    await world.untilRun(user, id, ({ steps }) => steps[1] !== undefined, DEADLINE_MS);
    await untilHistory(here, id, isWaiting);
    await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/cancel`, { token: user.token }));
    await world.untilRun(user, id, isStatus('cancelled'), DEADLINE_MS);
    return id;
  };

/** A run that is under way: what an upgrade meets. */
const open =
  (name: string, step: object): Incident =>
  async (here) => {
    const id = await start(
      here,
      [{ first: { set: { n: 1 } } }, { long: step }, { last: { set: { n: 2 } } }],
      name,
    );
    await untilHistory(here, id, isWaiting);
    return id;
  };

/** Whether this kind is recorded before its end. */
export const isOpen = (name: string): boolean => name.startsWith('open-');

/** A run that was reset in Temporal to its first workflow task after it had ended. */
const reset =
  (name: string, steps: unknown[], ...ends: string[]): Incident =>
  async (here) => {
    const { world, user } = here;
    const id = await start(here, steps, name);
    const before = await world.untilRun(user, id, isStatus('completed'), DEADLINE_MS);
    const events = await untilHistory(here, id, (all) =>
      Boolean(all.at(-1)?.workflowExecutionCompletedEventAttributes),
    );
    const { runId } = await world.temporal.workflow.getHandle(id).describe();
    await world.temporal.workflowService.resetWorkflowExecution({
      namespace: world.temporal.options.namespace,
      workflowExecution: { workflowId: id, runId },
      reason: 'a recording',
      workflowTaskFinishEventId:
        events.find((event) => event.workflowTaskCompletedEventAttributes)?.eventId ?? null,
      requestId: `${id}-reset`,
    });
    const isAgain = (run: Run) => isStatus(...ends)(run) && run.ended_at !== before.ended_at;
    await world.untilRun(user, id, isAgain, DEADLINE_MS);
    return id;
  };

/** A run that repeats another one from a step in its loop on; one outcome of it is too large for a row. */
const rerun: Incident = async (here) => {
  const { world, user } = here;
  const { token } = user;
  const steps = [
    { large: { ...shell('head -c 70000 /dev/zero | tr "\\0" x'), export: { as: 'length' } } },
    { loop: { for: { in: '[1, 2, 3]' }, do: [{ one: { set: { n: '${ $item + $context }' } } }] } },
    { stop: { if: '.n == 70003', raise: { error: { type: 'https://example.org/no', status: 500 } } } },
  ];
  const first = await start(here, steps, 'rerun');
  await world.untilRun(user, first, isStatus('failed'), DEADLINE_MS);
  const body = { from: '/do/1/loop/do/0/one', iteration: [1] };
  const path = `/api/neosyntis/runs/${first}/rerun`;
  const { run_id } = await expectStatus(202, world.api('POST', path, { token, body }));
  await world.untilRun(user, run_id, isStatus('failed'), DEADLINE_MS);
  return run_id;
};

/** A run whose steps run other workflows: one that it gets an output of, one that fails, one that it does not wait for. */
const children: Incident = async (here) => {
  const { world, user } = here;
  const save = (name: string, steps: unknown[]) =>
    world.api('POST', '/api/neosyntis/workflows/import', {
      token: user.token,
      body: { document: { dsl: '1.0.3', namespace: 'children', name, version: '0.1.0' }, do: steps },
    });
  const run = (name: string, more: object = {}) => ({
    run: { workflow: { namespace: 'children', name, input: '${ . }' }, ...more },
  });
  await expectStatus(201, save('double', [{ double: { set: { n: '${ .n * 2 }' } } }]));
  const no = { raise: { error: { type: 'https://example.org/no', status: 409 } } };
  await expectStatus(201, save('fails', [{ no }]));
  const id = await start(
    here,
    [
      { begin: { set: { n: 4 } } },
      { double: run('double') },
      { alone: run('double', { await: false }) },
      { caught: { try: [{ fails: run('fails') }], catch: { as: 'no', do: [{ set: { set: '${ $no }' } }] } } },
      { nobody: run('nobody') },
    ],
    'children',
  );
  await world.untilRun(user, id, isStatus('failed'), DEADLINE_MS);
  return id;
};

/** A run that waits for another one, and is cancelled with it. */
const cancelledChild: Incident = async (here) => {
  const { world, user } = here;
  await world.newWorkflow(user, [{ long: HOUR }], 'child that waits');
  const workflow = { namespace: 'default', name: 'child-that-waits' };
  const id = await start(here, [{ child: { run: { workflow } } }], 'cancelled-child');
  await untilHistory(here, id, (events) =>
    events.some((event) => event.childWorkflowExecutionStartedEventAttributes),
  );
  await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/cancel`, { token: user.token }));
  await world.untilRun(user, id, isStatus('cancelled'), DEADLINE_MS);
  return id;
};

/** Mail that a server does not take for now, until its time is over. */
const mailThatExpires: Incident = async (here) => {
  const { world, user } = here;
  const mail = { call: 'notify.email', with: { to: BUSY_MAILBOX, subject: 'Later', text: 'x' } };
  const run = await world.run(user, [{ mail }]);
  const [mailId] = run.output.mail_ids;
  const workflowId = `mail-${mailId}-in-a-hurry`;
  const expiresAt = new Date(Date.now() + 4_000).toISOString();
  await world.temporal.workflow.execute(workflowTypes.deliverMail, {
    workflowId,
    taskQueue: PLATFORM_QUEUE,
    args: [{ mailId, expiresAt }],
  });
  return workflowId;
};

const mailThatArrives: Incident = async ({ world, user }) => {
  const mail = { call: 'notify.email', with: { to: 'ada@example.org', subject: 'Now', text: 'x' } };
  const run = await world.run(user, [{ mail }]);
  const workflowId = `mail-${run.output.mail_ids[0]}`;
  await world.temporal.workflow.getHandle(workflowId).result();
  return workflowId;
};

/** What a definition names elsewhere, at its save. */
const sourceRead: Incident = async ({ world, origin }) => {
  const workflowId = 'source-of-a-function';
  await world.temporal.workflow.execute(workflowTypes.readSource, {
    workflowId,
    taskQueue: PLATFORM_QUEUE,
    args: ['01900000-0000-7000-8000-000000000000', `${origin}/things`],
  });
  return workflowId;
};

/** A pass that a schedule started and that is over. */
const passOf =
  (type: string, schedule: string): Incident =>
  async ({ world }) => {
    await world.temporal.schedule.getHandle(schedule).trigger();
    const ask = async () => {
      const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Completed'`;
      for await (const { workflowId } of world.temporal.workflow.list({ query })) return workflowId;
      return undefined;
    };
    return (await until(ask, (id) => id !== undefined, DEADLINE_MS)) as string; // not undefined by now
  };

/** A workflow that begins by itself. @returns its schedule's id */
async function scheduled({ world, user }: Here, schedule: object, step: object): Promise<string> {
  const document = { dsl: '1.0.3', namespace: 'recorded', name: 'scheduled', version: '0.1.0' };
  const body = { document, schedule, do: [{ step }] };
  const path = '/api/neosyntis/workflows/import';
  return scheduleIdOf((await expectStatus(201, world.api('POST', path, { token: user.token, body }))).id);
}

/** One tick of a schedule that comes seldom. */
const tick: Incident = async (here) => {
  const scheduleId = await scheduled(here, { every: 'P1D' }, { set: { a: 1 } });
  return passOf(workflowTypes.tick, scheduleId)(here);
};

/** What begins runs one after the other: while it waits for the end of one, or for the time of the next. */
const pacer =
  (step: object, isThere: (events: Events) => boolean): Incident =>
  async (here) => {
    const id = pacerId(await scheduled(here, { after: 'P1D' }, step));
    await untilHistory(here, id, isThere);
    return id;
  };

/** Runs that begin by events, of which it takes two. */
const byEvents: Incident = async (here) => {
  const { world, user } = here;
  const heard = (type: string, from: string) => ({
    with: { type, data: '${ .n > 1 }' },
    correlate: { of: { from } },
  });
  const all = [
    heard('org.example.first', '.data.of | ascii_downcase'),
    heard('org.example.last', '[.data.of] | sort[0]'),
  ];
  const id = eventStartsId(await scheduled(here, { on: { all } }, { set: { a: 1 } }));
  const data = { n: 2, of: 'a' };
  for (const [
    at,
    {
      with: { type },
    },
  ] of all.entries())
    await expectStatus(
      202,
      world.api('POST', '/api/neosyntis/events', {
        token: user.token,
        body: { specversion: '1.0', id: `${id}/${at}`, source: '/recorded', type, data },
      }),
    );
  const look = () =>
    world.temporal.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
  await until(look, (found) => found?.status.name === 'COMPLETED', DEADLINE_MS);
  return id;
};

/** Answers what the step asks that waits, until the run has ended. */
const answered =
  (name: string, steps: (here: Here) => unknown[], answers: object[]): Incident =>
  async (here) => {
    const { world, user } = here;
    const { token } = user;
    const id = await start(here, steps(here), name);
    const seen = new Set<string>();
    for (const body of answers) {
      const isAsking = (one: Run) =>
        one.approval_id && one.status === 'waiting' && !seen.has(one.approval_id);
      const run = await world.untilRun(user, id, ({ steps }) => steps.some(isAsking), DEADLINE_MS);
      const { approval_id } = run.steps.find(isAsking);
      seen.add(approval_id);
      await expectStatus(200, world.api('POST', `/api/neosyntis/approvals/${approval_id}`, { token, body }));
    }
    await world.untilRun(user, id, isStatus('completed'), DEADLINE_MS);
    return id;
  };

/** A server that breaks the connection once it has the request. */
const broken = (origin: string, more: object = {}) => ({
  call: 'http',
  with: { method: 'POST', endpoint: `${origin}/broken`, body: {} },
  ...more,
});

/** A run that is cancelled while it waits for a person. */
const cancelledAsking =
  (name: string, step: (here: Here) => object): Incident =>
  async (here) => {
    const { world, user } = here;
    const id = await start(here, [{ long: step(here) }], name);
    await world.untilRun(user, id, isStatus('waiting'), DEADLINE_MS);
    await expectStatus(202, world.api('POST', `/api/neosyntis/runs/${id}/cancel`, { token: user.token }));
    await world.untilRun(user, id, isStatus('cancelled'), DEADLINE_MS);
    return id;
  };

/** A run that fails, of which a webhook is told. */
/** Of one that may not have begun yet. */
async function untilCompleted({ world }: Here, workflowId: string): Promise<void> {
  const look = () =>
    world.temporal.workflow
      .getHandle(workflowId)
      .describe()
      .catch(() => undefined);
  await until(look, (found) => found?.status.name === 'COMPLETED', DEADLINE_MS);
}

const toldOf: Incident = async (here) => {
  const { world, user, origin } = here;
  const { token } = user;
  const id = await world.newWorkflow(user, [{ stop: { wait: '${ 1 }' } }]);
  const body = { on: ['failed'], webhook: { url: `${origin}/hook` } };
  await expectStatus(200, world.api('PUT', `/api/neosyntis/workflows/${id}/notifications`, { token, body }));
  const { run_id } = await expectStatus(
    202,
    world.api('POST', `/api/neosyntis/workflows/${id}/trigger`, { token }),
  );
  await world.untilRun(user, run_id, isStatus('failed'), DEADLINE_MS);
  await world.temporal.schedule.getHandle(RECONCILER_SCHEDULE).trigger();
  const workflowId = notificationWorkflowId(run_id, 'failed');
  await untilCompleted(here, workflowId);
  return workflowId;
};

/** Many runs that are cancelled at once. */
const manyCancelled: Incident = async (here) => {
  const { world, user } = here;
  const id = await start(here, [{ long: HOUR }], 'cancelled-in-bulk');
  const body = { ids: [id] };
  const { job_id } = await expectStatus(
    202,
    world.api('POST', '/api/neosyntis/runs/cancel', { token: user.token, body }),
  );
  await world.temporal.workflow.getHandle(job_id).result();
  return job_id;
};

/** What does not disturb other runs. */
/** An agent that is started, in its workflow; and what the workflow waits for then. */
const startedAgent = async ({ world, user }: Here): Promise<string> => {
  const path = '/api/myntrix/agents';
  const { token } = user;
  // It outlives the platform that records it, and ends by itself.
  const body = {
    name: 'agent',
    configuration: { command: 'sleep', args: ['300'], restart: 'never' },
  };
  const { id } = await expectStatus(201, world.api('POST', path, { token, body }));
  await expectStatus(202, world.api('POST', `${path}/${id}/start?wait=60`, { token }));
  return id;
};

const deletedAgent: Incident = async (here) => {
  const { world, user } = here;
  const id = await startedAgent(here);
  await expectStatus(
    202,
    world.api('POST', `/api/myntrix/agents/${id}/restart?wait=60`, { token: user.token }),
  );
  await expectStatus(202, world.api('POST', `/api/myntrix/agents/${id}/stop?wait=60`, { token: user.token }));
  await expectStatus(204, world.api('DELETE', `/api/myntrix/agents/${id}`, { token: user.token }));
  return agentWorkflowId(id);
};

/** A device that is connected, in its workflow; and what the workflow waits for then. */
const connectedDevice = async ({ world, user }: Here): Promise<string> => {
  const path = '/api/myntrix/devices';
  const { token } = user;
  const body = { name: 'device', connectionString: 'mock://device' };
  const { id } = await expectStatus(201, world.api('POST', path, { token, body }));
  await expectStatus(202, world.api('POST', `${path}/${id}/connect?wait=60`, { token }));
  return id;
};

const deletedDevice: Incident = async (here) => {
  const { world, user } = here;
  const id = await connectedDevice(here);
  const path = `/api/myntrix/devices/${id}`;
  await expectStatus(202, world.api('POST', `${path}/disconnect?wait=60`, { token: user.token }));
  await expectStatus(202, world.api('POST', `${path}/connect?wait=60`, { token: user.token }));
  await expectStatus(204, world.api('DELETE', path, { token: user.token }));
  return deviceWorkflowId(id);
};

const openDevice: Incident = async (here) => deviceWorkflowId(await connectedDevice(here));

const openAgent: Incident = async (here) => agentWorkflowId(await startedAgent(here));

/** Makes a task, and lets it run once by hand. @returns the tick's id */
async function ticked({ world, user }: Here, task: object): Promise<string> {
  const { token } = user;
  const body = { name: 'a task', schedule: '@yearly', ...task };
  const { id } = await expectStatus(201, world.api('POST', '/api/myntrix/tasks', { token, body }));
  return (await expectStatus(202, world.api('POST', `/api/myntrix/tasks/${id}/run`, { token }))).run_id;
}

const untilTick = ({ world, user }: Here, id: string, done: (tick: Run) => boolean): Promise<Run> =>
  until(
    async () => (await world.api('GET', `/api/myntrix/tasks/history/${id}`, { token: user.token })).body,
    done,
    DEADLINE_MS,
  );

/** A tick that its schedule began. */
const scheduledTick: Incident = async (here) => {
  const { world, user } = here;
  const { token } = user;
  const body = {
    name: 'a task',
    schedule: 'every 1s',
    action: { type: 'api', url: `${here.origin}/things` },
  };
  const { id } = await expectStatus(201, world.api('POST', '/api/myntrix/tasks', { token, body }));
  const workflowId = await passOf(workflowTypes.taskTick, scheduleIdOf(id))(here);
  await expectStatus(204, world.api('DELETE', `/api/myntrix/tasks/${id}`, { token }));
  return workflowId;
};

/** A tick whose attempts fail. */
const failedTick: Incident = async (here) => {
  const action = {
    type: 'script',
    language: 'shell',
    code: 'exit 1',
    retry: { attempts: 2, delaySeconds: 0 },
  };
  const id = await ticked(here, { action });
  await untilTick(here, id, isStatus('failed'));
  return id;
};

/** An order to an agent, which is no run. */
const agentTick: Incident = async (here) => {
  const action = { type: 'agent', agentId: await startedAgent(here), command: 'stop' };
  const id = await ticked(here, { action });
  await untilTick(here, id, isStatus('success'));
  return id;
};

const lateTick: Incident = async (here) => {
  const id = await ticked(here, { action: { ...sleeping, timeoutSeconds: 1 } });
  await untilTick(here, id, isStatus('failed'));
  return id;
};

const sleeping = { type: 'script', language: 'shell', code: 'sleep 60' };

/** One whose second attempt waits for its time. */
const waitingTick = async (here: Here): Promise<string> => {
  const retry = { attempts: 2, delaySeconds: 3_600 };
  const id = await ticked(here, { action: { ...sleeping, code: 'exit 1', retry } });
  await untilHistory(here, taskRunId(id, 2), (all) => all.some((event) => event.timerStartedEventAttributes));
  return id;
};

const openTick: Incident = async (here) => taskRunId(await waitingTick(here), 2);

const cancelledTick: Incident = async (here) => {
  const { world, user } = here;
  const id = await waitingTick(here);
  await expectStatus(202, world.api('POST', `/api/myntrix/jobs/${id}/cancel`, { token: user.token }));
  await untilTick(here, id, isStatus('cancelled'));
  return taskRunId(id, 2);
};

const toldOfTick: Incident = async (here) => {
  const { world, origin } = here;
  const notify = { webhook: { url: `${origin}/hook` } };
  const action = { type: 'script', language: 'shell', code: 'exit 1' };
  const id = await ticked(here, { action, notify });
  await untilTick(here, id, isStatus('failed'));
  await world.temporal.schedule.getHandle(RECONCILER_SCHEDULE).trigger();
  const workflowId = notificationWorkflowId(id, 'task');
  await untilCompleted(here, workflowId);
  return workflowId;
};

export const incidents: Record<string, Incident> = {
  'cancelled-waiting': cancelled('cancelled-waiting', () => HOUR),
  'cancelled-code': cancelled('cancelled-code', () => shell('sleep 60')),
  'cancelled-http': cancelled('cancelled-http', ({ origin }) => ({
    call: 'http',
    with: { method: 'GET', endpoint: `${origin}/slow` },
  })),
  'cancelled-child': cancelledChild,
  'cancelled-fork': cancelled('cancelled-fork', () => ({
    fork: { branches: [{ a: HOUR }, { b: shell('sleep 60') }] },
  })),
  rerun,
  children,
  'open-waiting': open('open-waiting', HOUR),
  'open-code': open('open-code', shell('sleep 60')),
  'open-fork': open('open-fork', { fork: { branches: [{ a: HOUR }, { b: { wait: { hours: 2 } } }] } }),
  reset: reset(
    'reset',
    [{ first: { set: { n: 1 } } }, { pause: { wait: { milliseconds: 200 } } }, { last: { set: { n: 2 } } }],
    'completed',
  ),
  'reset-code': reset('reset-code', [{ code: shell('echo once', { onUnknown: 'fail' }) }], 'failed'),
  'approval-answered': answered(
    'approval-answered',
    () => [
      {
        ask: {
          call: 'approval.wait',
          with: { title: 'Now?', remind: { after: 'PT0S', every: 'PT1H', by: { email: 'ada@example.org' } } },
        },
      },
      { sides: { fork: { branches: [{ a: { call: 'approval.wait' } }, { b: { wait: 'PT0.2S' } }] } } },
    ],
    [{ approved: true, data: { n: 1 } }, { approved: false }],
  ),
  'outcome-answered': answered(
    'outcome-answered',
    ({ origin }) => [
      { first: broken(origin) },
      { then: { try: [{ second: broken(origin) }], catch: { do: [{ let: { set: { go: true } } }] } } },
    ],
    [{ outcome: 'not_done' }, { outcome: 'done', output: 1 }, { outcome: 'fail' }],
  ),
  'cancelled-approval': cancelledAsking('cancelled-approval', () => ({ call: 'approval.wait' })),
  'cancelled-outcome': cancelledAsking('cancelled-outcome', ({ origin }) => broken(origin)),
  'open-approval': open('open-approval', {
    ...{ call: 'approval.wait', with: { title: 'Some day?' } },
    timeout: { after: 'PT2H' },
  }),
  'told-of-run': toldOf,
  'cancel-runs': manyCancelled,
  'mail-delivered': mailThatArrives,
  'mail-expired': mailThatExpires,
  'read-source': sourceRead,
  reconcile: passOf(workflowTypes.reconcile, RECONCILER_SCHEDULE),
  'schedule-tick': tick,
  'event-starts': byEvents,
  'open-pacer-of-a-run': pacer(HOUR, (events) =>
    events.some((event) => event.childWorkflowExecutionStartedEventAttributes),
  ),
  'open-pacer-between': pacer({ set: { a: 1 } }, (events) =>
    events.some((event) => event.timerStartedEventAttributes),
  ),
  agent: deletedAgent,
  'open-agent': openAgent,
  device: deletedDevice,
  'device-jobs': interruptedProgram,
  'device-jobs-of-steps': jobSteps,
  'open-device': openDevice,
  'open-device-jobs': openJob,
  'task-tick': scheduledTick,
  'task-failed': failedTick,
  'task-of-an-agent': agentTick,
  'task-too-late': lateTick,
  'task-cancelled': cancelledTick,
  'open-task': openTick,
  'told-of-task': toldOfTick,
  retention: passOf(workflowTypes.retention, RETENTION_SCHEDULE),
};
