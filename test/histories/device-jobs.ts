import { deviceJobsWorkflowId } from '../../domain/names.ts';
import { startSimulator } from '../simulators/start.ts';
import { until } from '../support/client.ts';
import { program } from '../support/programs.ts';
import { expectStatus, type Run } from '../support/world.ts';
import { DEADLINE_MS, type Here, isStatus, start, untilHistory } from './here.ts';

const path = '/api/myntrix/devices';

async function connected({ world, user }: Here, connectionString: string): Promise<string> {
  const { token } = user;
  const configuration = { protocol: 'marlin', reconnect: { initialMs: 50, maxMs: 200 } };
  const body = { name: 'recorded', connectionString, configuration };
  const { id } = await expectStatus(201, world.api('POST', path, { token, body }));
  await expectStatus(202, world.api('POST', `${path}/${id}/connect?wait=60`, { token }));
  return id;
}

async function sent({ world, user }: Here, device: string, text: string): Promise<string> {
  const form = new FormData();
  form.set('file', new Blob([text]), 'part.gcode');
  form.set('run', 'true');
  const answer = await fetch(new URL(`${path}/${device}/upload`, world.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}` },
    body: form,
  });
  return ((await answer.json()) as { job_id: string }).job_id;
}

/** A program that is paused, goes on, is interrupted, goes on as a person says, and another one that is given up. */
export async function interruptedProgram(here: Here): Promise<string> {
  const { world, user } = here;
  const { token } = user;
  const printer = await startSimulator(['marlin', '--tcp', '0', '--motion-ms', '5']);
  try {
    const device = await connected(here, printer.address);
    const jobs = [await sent(here, device, program(2_000)), await sent(here, device, program(2_000))];
    const look = async (id: string): Promise<Run> =>
      (await world.api('GET', `/api/myntrix/jobs/${id}`, { token })).body;
    const wait = (id: string, done: (job: Run) => boolean) => until(() => look(id), done, DEADLINE_MS);
    const steer = (id: string, what: string, body?: object) =>
      expectStatus(
        202,
        world.api('POST', `/api/myntrix/jobs/${id}/${what}`, { token, ...(body ? { body } : {}) }),
      );
    const [first = '', second = ''] = jobs;
    const hasBegun = ({ status, details }: Run) => status === 'running' && details.acknowledged_line > 0;
    await wait(first, hasBegun);
    await steer(first, 'pause');
    await wait(first, isStatus('paused'));
    await steer(first, 'resume');
    await wait(first, isStatus('running'));
    await printer.tell({ disconnect: true });
    const { details } = await wait(first, isStatus('waiting'));
    await printer.tell({ motionMs: 0 });
    await steer(first, 'decision', { action: 'resume', fromLine: details.acknowledged_line + 1 });
    await wait(first, isStatus('completed'));
    await printer.tell({ motionMs: 5 });
    await wait(second, hasBegun);
    await printer.tell({ disconnect: true });
    await wait(second, isStatus('waiting'));
    await steer(second, 'decision', { action: 'cancel' });
    await wait(second, isStatus('cancelled'));
    const id = deviceJobsWorkflowId(device);
    await world.temporal.workflow.getHandle(id).result();
    await expectStatus(202, world.api('POST', `${path}/${device}/disconnect?wait=60`, { token }));
    return id;
  } finally {
    await printer.stop();
  }
}

/** A job that waits for its device. */
export async function openJob(here: Here): Promise<string> {
  const device = await connected(here, 'mock://waits');
  const { world, user } = here;
  await expectStatus(202, world.api('POST', `${path}/${device}/disconnect?wait=60`, { token: user.token }));
  await sent(here, device, program(3));
  const id = deviceJobsWorkflowId(device);
  await untilHistory(here, id, (events) =>
    events.some(
      ({ activityTaskScheduledEventAttributes: one }) => one?.activityType?.name === 'followDeviceJob',
    ),
  );
  return id;
}

/** A run with steps that wait for jobs. */
export async function jobSteps(here: Here): Promise<string> {
  const device = await connected(here, 'mock://steps');
  const id = await start(
    here,
    [
      { print: { call: 'device.run_gcode', with: { device, gcode: program(3) } } },
      {
        keep: {
          try: [{ store: { call: 'device.upload', with: { device, content: 'G28\n', name: 'a.gcode' } } }],
          catch: {},
        },
      },
    ],
    'device-jobs',
  );
  await here.world.untilRun(here.user, id, isStatus('completed'), DEADLINE_MS);
  return id;
}
