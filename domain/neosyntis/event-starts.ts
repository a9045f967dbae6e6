import { Value } from 'typebox/value';
import type { Json } from '../wire.ts';
import type { WorkflowEvent } from './cloud-event.ts';
import { type EventStrategy, isPattern, typesNamed, typesOf } from './dsl/event-strategy.ts';
import type { Listening } from './events.ts';
import { lifecycleTypes } from './lifecycle.ts';

/** The values that events are correlated by, by the names of the correlations. */
export type CorrelationKeys = { [name: string]: Json };

/** What each filter of a strategy says of one event: its correlation values, or that it is another one. */
export type Hits = (CorrelationKeys | null)[];

/** Events of which some of an `all` are still missing. */
export interface OpenSet {
  keys: CorrelationKeys;
  /** Which filters have their event. */
  met: boolean[];
}

/** Runs that began each other by events, one after the other, are no more than this: they would never end. */
export const LONGEST_CHAIN = 1_000;

/** Sets that are not complete yet, of one workflow: beyond this the oldest go. */
export const OPEN_SETS = { count: 1_000, bytes: 8 * 1024 * 1024 };

/**
 * What goes through Temporal for a schedule stays below the size from which values are kept as blobs: those go with a
 * run, and here is none.
 */
export const PAYLOAD = {
  /** Of an `on`, as JSON. */
  onBytes: 64 * 1024,
  /** Of events that are looked at in one go; a larger one comes in parts of its JSON. */
  eventBytes: 128 * 1024,
  /** As JSON text: a character may take several bytes. */
  partCharacters: 40_000,
  /** What a filter's expression gives. */
  valueBytes: 64 * 1024,
  /** The correlation values of one event. */
  keyBytes: 64 * 1024,
} as const;

/** An event that a schedule is to be held against. */
export interface DueEvent {
  seq: number;
  /** Nothing when it is too large to come along. */
  event: WorkflowEvent | null;
  /** Of such a one: how many parts it has. */
  parts: number;
}

/** Events that have come for a schedule, and what they are held against. */
export interface DueEvents {
  /** Of what was wanted when they were read. */
  digest: string;
  on: EventStrategy;
  events: DueEvent[];
}

/**
 * Which types of events a strategy can take, for the rows that events are held against. Of lifecycle events it may
 * name more than it takes: its filters say in the end.
 */
export function startedBy(strategy: EventStrategy): Pick<Listening, 'types' | 'lifecycle'> {
  const named = typesNamed(strategy);
  const isLike = named.some((wanted) => isPattern(wanted) && wanted.includes('serverlessworkflow'));
  return {
    types: typesOf(strategy),
    lifecycle: lifecycleTypes.filter((type) => isLike || named.includes(type)),
  };
}

/** Whether an event begins a run by itself. */
export const isEnough = (strategy: EventStrategy, hits: Hits): boolean =>
  strategy.all === undefined && (strategy.any?.length === 0 || hits.some((hit) => hit !== null));

/**
 * What an event makes of a set of an `all`: it counts for every filter that it fits and whose event is missing, as far as
 * the correlation values are the same.
 * @returns nothing when the set has no use for it
 */
export function joined({ keys, met }: OpenSet, hits: Hits): OpenSet | undefined {
  let found = keys;
  const now = hits.map((hit, at) => {
    if (met[at] || hit === null || !agrees(found, hit)) return met[at] === true;
    found = { ...found, ...hit };
    return true;
  });
  return now.some((is, at) => is && !met[at]) ? { keys: found, met: now } : undefined;
}

export const isComplete = ({ met }: OpenSet): boolean => met.every(Boolean);

const agrees = (keys: CorrelationKeys, hit: CorrelationKeys): boolean =>
  Object.entries(hit).every(([name, value]) => {
    const known = keys[name];
    return known === undefined || isSameKey(known, value);
  });

/** A constant is text, whatever the value that it stands for. */
export const isSameKey = (wanted: Json, value: Json): boolean =>
  Value.Equal(wanted, value) ||
  (typeof wanted === 'string' && typeof value !== 'object' && String(value) === wanted);
