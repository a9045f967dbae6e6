import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { topics } from '../domain/names.ts';

/** What a host says and hears on the bus; it reaches nothing else, and nothing of another host. */
export const hostWrites = [
  topics.hostLogs,
  topics.hostStatus,
  topics.hostMetrics,
  topics.hostAgents,
  topics.hostTelemetry,
  topics.hostAgentLogs,
  topics.hostDevices,
  topics.hostDeviceAnswers,
  topics.hostDeviceJobs,
  topics.hostPorts,
] as const;
export const hostReads = [
  topics.hostLogRequests,
  topics.hostAgentLogRequests,
  topics.hostDeviceRequests,
  topics.hostDeviceReceipts,
  topics.hostPortRequests,
] as const;

/** The rights of API and platform workers, as a file of Mosquitto's. */
export const platformRights = (): string => 'user platform\ntopic readwrite vareon/#\n';

/** The rights of worker hosts. What is not named is denied, without a word to who tries. */
export const hostRights = (hosts: readonly string[]): string =>
  hosts
    .map((host) =>
      [
        `user host-${host}`,
        ...hostWrites.map((topic) => `topic write ${topic(host)}`),
        ...hostReads.map((topic) => `topic read ${topic(host)}`),
        '',
      ].join('\n'),
    )
    .join('\n');

/** Lines of Mosquitto's password file. The passwords are 256 random bits, so few rounds of the hash do. */
export const passwordLines = (logins: readonly { username: string; password: string }[]): string =>
  logins.map(({ username, password }) => `${username}:${hashed(password)}\n`).join('');

const ROUNDS = 101;

/** `$7$`: PBKDF2 with SHA-512, as mosquitto_passwd writes it. */
function hashed(password: string): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, ROUNDS, 64, 'sha512');
  return `$7$${ROUNDS}$${salt.toString('base64')}$${hash.toString('base64')}`;
}
