import { defineEntity, p } from '@mikro-orm/postgresql';
import type { StateAt, StateKind } from '../../domain/myntrix/states.ts';
import type { Database, Sql } from '../orm.ts';
import { rows } from '../sql.ts';
import { deleted, PIECE_ROWS, type Piece } from '../system/retention.ts';

export const StateSubjectEntity = defineEntity({
  name: 'StateSubject',
  tableName: 'state_subjects',
  properties: {
    kind: p.text().primary().$type<StateKind>(),
    subject: p.text().primary(),
    place: p.bigint('number'),
  },
});

/** Written by the triggers of migration 0021. */
export const StateChangeEntity = defineEntity({
  name: 'StateChange',
  tableName: 'state_changes',
  properties: {
    seq: p.bigint('number').primary().autoincrement(),
    kind: p.text().$type<StateKind>(),
    subject: p.text(),
    at: p.datetime(3),
    is_gone: p.boolean(),
    state: p.json().$type<StateAt>(),
  },
});

/** Subjects of one answer. */
const SUBJECTS = 10_000;

export interface PastState {
  kind: StateKind;
  subject: string;
  /** Its own, for ever. */
  place: number;
  state: StateAt;
}

/** How agents, devices and hosts were at a time; those that were not there, or are not kept, are not among them. */
export const statesAt = ({ em }: Pick<Database, 'em'>, at: Date): Promise<PastState[]> =>
  rows(
    em,
    `select s.kind, s.subject, s.place::float8 as place, c.state from state_subjects s cross join lateral (
       select is_gone, state from state_changes c
       where c.kind = s.kind and c.subject = s.subject and c.at <= ? order by c.at desc, c.seq desc limit 1) c
     where not c.is_gone order by s.kind, s.subject limit ${SUBJECTS}`,
    [at],
  );

/** Deletes changes that are old and not the newest of before; with what is gone goes all. */
export async function pruneStates(tx: Sql, days: number): Promise<Piece> {
  const piece = await deleted(
    tx,
    `delete from state_changes where seq in (
       select c.seq from state_changes c
       where c.at < now() - make_interval(days => ?) and (c.is_gone or exists (
         select from state_changes n where n.kind = c.kind and n.subject = c.subject and (n.at, n.seq) > (c.at, c.seq)
           and n.at < now() - make_interval(days => ?)))
       order by c.at limit ${PIECE_ROWS})`,
    [days, days],
  );
  if (piece.more) return piece;
  await tx.execute(
    `delete from state_subjects s where not exists (
       select from state_changes c where c.kind = s.kind and c.subject = s.subject)`,
  );
  return piece;
}
