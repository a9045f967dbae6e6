import type { Json } from '../../domain/wire.ts';

/** What the reference reads of a document: a type of its own, so that the product's decides nothing here. */
export interface WorkflowDocument {
  document: { dsl: string; namespace: string; name: string; version: string };
  input?: { from: Json };
  output?: { as: Json };
  timeout?: { after: Duration };
  do: List;
}

export type List = { [name: string]: AnyTask }[];

export type Duration =
  | string
  | { [unit in 'days' | 'hours' | 'minutes' | 'seconds' | 'milliseconds']?: number };

export interface Retry {
  when?: string;
  exceptWhen?: string;
  delay?: Duration;
  backoff?: { constant?: object; linear?: object; exponential?: object };
  limit?: { attempt?: { count?: number; duration?: Duration }; duration?: Duration };
}

export interface Catch {
  errors?: { with: { type?: string; status?: number; instance?: string } };
  as?: string;
  when?: string;
  exceptWhen?: string;
  retry?: Retry;
  do?: List;
  then?: string;
}

/** All task kinds in one: which it is, its keyword says. */
export interface AnyTask {
  if?: string;
  input?: { from: Json };
  output?: { as: Json };
  export?: { as: Json };
  timeout?: { after: Duration };
  then?: string;
  set?: Json;
  do?: List;
  for?: { each?: string; at?: string; in: Json };
  while?: string;
  fork?: { branches: List; compete?: boolean };
  switch?: { [name: string]: { when?: string; then: string } }[];
  try?: List;
  catch?: Catch;
  raise?: { error: { type: string; status: number; title?: string; detail?: string; instance?: string } };
  wait?: Json;
}
