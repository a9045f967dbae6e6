import { type Static, Type } from 'typebox';

/** How a device on a broker is spoken to: `configuration.mqtt`. The broker is the device's own, not the platform's bus. */

const TOPIC_LIMIT = 250;
const topic = (description: string) => Type.String({ minLength: 1, maxLength: TOPIC_LIMIT, description });
const text = (maxLength: number) => Type.String({ maxLength });
const Qos = Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)]);

export const MqttSettings = Type.Object(
  {
    commandTopic: Type.Optional(topic('`<path of the URL>/command` unless given')),
    answerTopic: Type.Optional(
      Type.Union([topic('`<path of the URL>/answer` unless given'), Type.Null()], {
        description: 'null: the device answers nothing, and each command is `unknown`',
      }),
    ),
    telemetryTopics: Type.Optional(
      Type.Array(topic('`+` and `#` are wildcards'), {
        maxItems: 20,
        description: '`<path of the URL>/telemetry/#` unless given',
      }),
    ),
    availability: Type.Optional(
      Type.Object(
        { topic: topic('retained by the broker'), online: text(100), offline: text(100) },
        {
          additionalProperties: false,
          description: 'where the device, or its last will, says whether it is there',
        },
      ),
    ),
    will: Type.Optional(
      Type.Object(
        {
          topic: topic('told when this host is gone'),
          payload: text(1_000),
          retain: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false, description: 'the last will of the host’s own connection' },
      ),
    ),
    correlation: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 60,
        description:
          'a key that is put into each command, a JSON object, and that its answer repeats; without it the next answer is taken for the command’s',
      }),
    ),
    emergency: Type.Optional(
      Type.Object(
        { topic: Type.Optional(topic('the command topic unless given')), payload: text(1_000) },
        {
          additionalProperties: false,
          description: 'what an emergency stop publishes',
        },
      ),
    ),
    qos: Type.Optional(Qos),
    username: Type.Optional(text(200)),
    passwordSecret: Type.Optional(
      Type.String({ description: 'the name of a secret that an administrator shares' }),
    ),
    clientId: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,60}$' })),
    identity: Type.Optional(
      Type.Object(
        { command: text(1_000), name: Type.Optional(text(200)), version: Type.Optional(text(200)) },
        {
          additionalProperties: false,
          description: 'a command that asks who is there, and JSON pointers into its answer',
        },
      ),
    ),
  },
  { additionalProperties: false },
);
export type MqttSettings = Static<typeof MqttSettings>;

/** The settings with what the URL says for those that were not given. */
export interface MqttTopics {
  command: string;
  answer: string | null;
  telemetry: string[];
}

/** @returns undefined when neither the URL nor the settings name a topic for commands */
export function mqttTopics(base: string, settings: MqttSettings): MqttTopics | undefined {
  const under = (name: string): string | undefined => (base === '' ? undefined : `${base}/${name}`);
  const command = settings.commandTopic ?? under('command');
  if (command === undefined) return undefined;
  const telemetry = under('telemetry/#');
  return {
    command,
    answer: settings.answerTopic === undefined ? (under('answer') ?? null) : settings.answerTopic,
    telemetry: settings.telemetryTopics ?? (telemetry === undefined ? [] : [telemetry]),
  };
}

/** The topic that a URL's path names: `mqtt://broker/lab/oven` is `lab/oven`. */
export const baseTopic = (path: string): string =>
  decodeURIComponent(path.replace(/\?.*$/, '')).replace(/^\/|\/$/g, '');

/** What is wrong with a topic that is published on (MQTT 3.1.1, 4.7). */
export function topicProblem(given: string): string | undefined {
  if (/[+#]/.test(given))
    return `${JSON.stringify(given)} holds + or #, which are wildcards: a message is published on one topic`;
  return nameProblem(given);
}

/** What is wrong with a topic that is subscribed to. */
export function filterProblem(given: string): string | undefined {
  const levels = given.split('/');
  const isRight = levels.every(
    (level, index) => level === '+' || (level === '#' && index === levels.length - 1) || !/[+#]/.test(level),
  );
  if (!isRight)
    return `${JSON.stringify(given)} is no topic filter: + stands for a whole level, # for the last ones`;
  return nameProblem(given);
}

function nameProblem(given: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(given)) return `${JSON.stringify(given)} holds a control character`;
  if (given.startsWith('$')) return `${JSON.stringify(given)} begins with $, which is the broker’s own`;
  return undefined;
}

/** Everything that is wrong with the topics. */
export function mqttProblems(path: string, settings: MqttSettings): string[] {
  let base: string;
  try {
    base = baseTopic(path);
  } catch {
    return ['the path of the connectionString has a % that is no escape'];
  }
  const topics = mqttTopics(base, settings);
  if (!topics)
    return ['mqtt needs a topic for commands: a path in the connectionString, or mqtt.commandTopic'];
  const published = [topics.command, settings.emergency?.topic, settings.will?.topic];
  const subscribed = [topics.answer, settings.availability?.topic, ...topics.telemetry];
  return [
    ...published.flatMap((each) => (each ? (topicProblem(each) ?? []) : [])),
    ...subscribed.flatMap((each) => (each ? (filterProblem(each) ?? []) : [])),
    ...(settings.availability && /[+#]/.test(settings.availability.topic)
      ? ['mqtt.availability.topic is one topic, without + and #']
      : []),
    ...(settings.correlation !== undefined && topics.answer === null
      ? ['mqtt.correlation needs an answer topic']
      : []),
    ...(settings.passwordSecret !== undefined && settings.username === undefined
      ? ['mqtt.passwordSecret needs mqtt.username']
      : []),
  ];
}
