/** Workflow ids, task queues and bus topics: nobody else spells them. */

/** Database-side activities and all workflows. */
export const PLATFORM_QUEUE = 'platform';

/** Requests to other servers that are made for users: they may take long, and wait for nobody but each other. */
export const OUTBOUND_QUEUE = 'outbound';

/** Steps that wait for hours, and do little meanwhile. */
export const WAITS_QUEUE = 'waits';

/** Hardware-side activities of one worker host. */
export const hostQueue = (name: string): string => `host-${name}`;

/** Where one worker host holds its agents: they would take the room of its steps. */
export const agentsQueue = (host: string): string => `agents-${host}`;

/** One workflow an agent, for as long as there is the agent. */
export const agentWorkflowId = (agentId: string): string => `agent-${agentId}`;

/** Updates of an agent's workflow. */
export const agentUpdates = { start: 'start', stop: 'stop', restart: 'restart' } as const;
export type AgentAction = keyof typeof agentUpdates;

/** Where one worker host holds its devices. */
export const devicesQueue = (host: string): string => `devices-${host}`;

/** One workflow a device, for as long as there is the device. */
export const deviceWorkflowId = (deviceId: string): string => `device-${deviceId}`;

/** Updates of a device's workflow. */
export const deviceUpdates = { connect: 'connect', disconnect: 'disconnect' } as const;
export type DeviceAction = keyof typeof deviceUpdates;

/** Carries a device's jobs out, one after the other, while there are some. */
export const deviceJobsWorkflowId = (deviceId: string): string => `device-jobs-${deviceId}`;

/** The file of an upload; also where a worker host asks the API for it. */
export const uploadBlobKey = (uploadId: string): string => `uploads/${uploadId}`;

/** A run's Temporal workflow has the id of its row. */
export const workflowTypes = {
  run: 'neosyntisRun',
  reconcile: 'reconcile',
  deliverMail: 'deliverMail',
  retention: 'retention',
  tick: 'scheduleTick',
  pacer: 'schedulePacer',
  startByEvents: 'startByEvents',
  notifyOfRun: 'notifyOfRun',
  cancelRuns: 'cancelRuns',
  readSource: 'readSource',
  agent: 'agentLifecycle',
  device: 'deviceSession',
  deviceJobs: 'deviceJobs',
  taskTick: 'taskTick',
  taskRun: 'taskRun',
  notifyOfTask: 'notifyOfTask',
} as const;

/** Signals that a run takes. */
export const runSignals = { events: 'events' } as const;

/** That there is something new, for who looks for it in rows: events held against a `schedule.on`, a device's jobs. */
export const wakeSignal = 'wake';

/** Updates of a run's workflow. */
export const runUpdates = { pause: 'pause', resume: 'resume' } as const;

/** Why a run's workflow refuses one: it is so already, or it is about to end. */
export const refusals = { already: 'already', ending: 'ending' } as const;

export const notificationWorkflowId = (runId: string, kind: string): string =>
  `notification-${kind}-${runId}`;

/** What begins the attempts of a task's tick; a later one of a tick that was a run has one of its own. */
export const taskRunId = (tickId: string, attempt: number): string =>
  attempt <= 1 ? tickId : `${tickId}-attempt-${attempt}`;

export const tickOfTaskRun = (workflowId: string): string => workflowId.replace(/-attempt-\d+$/, '');

export const mailWorkflowId = (mailId: string): string => `mail-${mailId}`;

/** Where a workflow's large values are: all below one prefix, named by their hash. */
export const runBlobPrefix = (workflowId: string): string => `runs/${workflowId}/`;
export const runBlobKey = (workflowId: string, sha256: string): string =>
  `${runBlobPrefix(workflowId)}${sha256}`;

export const RECONCILER_SCHEDULE = 'vareon-reconciler';

export const RETENTION_SCHEDULE = 'vareon-retention';

/** Of schedules that people make; `vareon-schedule-<id of what has it>`. */
export const SCHEDULE_PREFIX = 'vareon-schedule-';
export const scheduleIdOf = (subjectId: string): string => `${SCHEDULE_PREFIX}${subjectId}`;

/** The workflow that carries an `after`. */
const PACER_SUFFIX = '-pacer';
export const pacerId = (scheduleId: string): string => `${scheduleId}${PACER_SUFFIX}`;
export const scheduleOfPacer = (workflowId: string): string => workflowId.slice(0, -PACER_SUFFIX.length);

/** The workflow that begins runs by events, while there are some that it has not seen. */
const STARTS_SUFFIX = '-events';
export const eventStartsId = (scheduleId: string): string => `${scheduleId}${STARTS_SUFFIX}`;
export const scheduleOfStarts = (workflowId: string): string => workflowId.slice(0, -STARTS_SUFFIX.length);

export const topics = {
  /** Frames of one run, numbered by the run. */
  run: (runId: string) => `vareon/runs/${runId}`,
  /** Every event of the installation, numbered. */
  events: 'vareon/events',
  /** Lifecycle events of runs that others listen to, with their owner. */
  lifecycle: 'vareon/lifecycle',
  /** Log chunks of a host's steps, from the host. */
  hostLogs: (host: string) => `vareon/hosts/${host}/logs`,
  anyHostLogs: 'vareon/hosts/+/logs',
  /** Ranges of output that the platform asks a host for again. */
  hostLogRequests: (host: string) => `vareon/hosts/${host}/log-requests`,
  /** Samples of a host's machine, from the host. */
  hostMetrics: (host: string) => `vareon/hosts/${host}/metrics`,
  anyHostMetrics: 'vareon/hosts/+/metrics',
  /** The same, kept and checked, for whoever watches. */
  metrics: 'vareon/metrics',
  /** What a host says of its agents. */
  hostAgents: (host: string) => `vareon/hosts/${host}/agents`,
  anyHostAgents: 'vareon/hosts/+/agents',
  /** Readings, logs and states of a host's devices, in batches. */
  hostTelemetry: (host: string) => `vareon/hosts/${host}/telemetry`,
  anyHostTelemetry: 'vareon/hosts/+/telemetry',
  /** Pieces of agents' output that somebody wants to read, and what the host answers. */
  hostAgentLogRequests: (host: string) => `vareon/hosts/${host}/agent-log-requests`,
  hostAgentLogs: (host: string) => `vareon/hosts/${host}/agent-logs`,
  anyHostAgentLogs: 'vareon/hosts/+/agent-logs',
  /** Which serial ports a host has, asked and answered. */
  hostPortRequests: (host: string) => `vareon/hosts/${host}/port-requests`,
  hostPorts: (host: string) => `vareon/hosts/${host}/ports`,
  anyHostPorts: 'vareon/hosts/+/ports',
  /** What a host says of its devices. */
  hostDevices: (host: string) => `vareon/hosts/${host}/devices`,
  anyHostDevices: 'vareon/hosts/+/devices',
  /** Commands and emergency stops that the platform asks a host for, and what becomes of them. */
  hostDeviceRequests: (host: string) => `vareon/hosts/${host}/device-requests`,
  hostDeviceAnswers: (host: string) => `vareon/hosts/${host}/device-answers`,
  anyHostDeviceAnswers: 'vareon/hosts/+/device-answers',
  /** Answers that are recorded: the host need not say them again. */
  hostDeviceReceipts: (host: string) => `vareon/hosts/${host}/device-receipts`,
  /** How far the jobs of a host's devices are. */
  hostDeviceJobs: (host: string) => `vareon/hosts/${host}/device-jobs`,
  anyHostDeviceJobs: 'vareon/hosts/+/device-jobs',
  /** Retained: a host's state, by itself or by its last will. */
  hostStatus: (host: string) => `vareon/hosts/${host}/status`,
  anyHostStatus: 'vareon/hosts/+/status',
} as const;
