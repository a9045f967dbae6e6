import { defineEntity, p } from '@mikro-orm/postgresql';

export const LifecycleDueEntity = defineEntity({
  name: 'LifecycleDue',
  tableName: 'lifecycle_due',
  properties: {
    run_id: p.uuid().primary(),
    first_seq: p.bigint('number').primary().autoincrement(false),
    last_seq: p.bigint('number'),
    at: p.datetime(3).defaultRaw('now()'),
  },
});
