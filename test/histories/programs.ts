import { code } from './programs/code.ts';
import { errors } from './programs/errors.ts';
import { events } from './programs/events.ts';
import { forks } from './programs/forks.ts';
import { inside } from './programs/inside.ts';
import { outbound } from './programs/outbound.ts';
import type { Program } from './programs/program.ts';

/** What is recorded and needs nothing but to be started; a server of others is at `origin` (others.ts). */
export const programs = (origin: string): Program[] => [
  ...inside,
  ...forks,
  ...errors,
  ...events,
  ...code,
  ...outbound(origin),
];
