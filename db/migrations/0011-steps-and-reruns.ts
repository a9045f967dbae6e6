import { Migration } from '@mikro-orm/migrations';

export class StepsAndReruns extends Migration {
  override up(): void {
    // Values too large for a row are blobs of the run; these are their names (a SHA-256).
    // `context` is a list of the value that the step exported: none is not the same as null.
    // `begun` and `ended` are the numbers of the changes with which the latest attempt began and ended.
    this.addSql(`
      alter table run_steps
        add column input_blob text, add column output_blob text,
        add column directive text, add column context json, add column context_blob text,
        add column reused boolean not null default false,
        add column begun bigint, add column ended bigint,
        add column queue_ms bigint, add column wait_ms bigint`);
    // What came before the latest attempt of a step, which its own row tells.
    this.addSql(`
      create table run_step_attempts (
        run_id uuid not null references runs,
        path text not null,
        iteration integer[] not null,
        attempt integer not null,
        status text not null,
        host text,
        started_at timestamptz(3),
        ended_at timestamptz(3),
        error jsonb,
        queue_ms bigint,
        wait_ms bigint,
        primary key (run_id, path, iteration, attempt)
      )`);
    // Of runs that are gone the ids stay: no foreign keys.
    this.addSql(`
      alter table runs
        add column rerun_of uuid, add column rerun_from text, add column rerun_iteration integer[],
        add column parent_run_id uuid, add column parent_path text, add column parent_iteration integer[],
        add column parent_attempt integer, add column may_run_code boolean not null default false`);
    this.addSql(`
      create index workflow_versions_document on workflow_versions
        ((document->'document'->>'namespace'), (document->'document'->>'name'))`);
    this.addSql('create index runs_rerun_of on runs (rerun_of, id desc) where rerun_of is not null');
    this.addSql('create index runs_parent on runs (parent_run_id, id desc) where parent_run_id is not null');
  }
}
