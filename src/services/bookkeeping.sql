-- Schema `liftlock` in the target database: history, journal, audit outbox, sync ledger.
-- Each `-- version N` block runs once, in one transaction, in order. A released block is never edited.

-- version 1

-- One row per promotion.
create table liftlock.promotions (
  run uuid primary key,
  environment text not null,
  type text not null,
  plan jsonb not null,
  digest text not null,
  state text not null check (state in ('running', 'finished', 'refused', 'failed', 'abandoned')),
  actor text not null,
  tool_version text not null,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);

-- Intent log: what was about to be done, what was done.
create table liftlock.journal (
  run uuid not null references liftlock.promotions,
  sequence integer not null,
  entry jsonb not null,
  written_at timestamptz not null default clock_timestamp(),
  primary key (run, sequence)
);

-- One row per migration; `applied` of `total` statements are done when it is not transactional.
create table liftlock.migrations (
  id text primary key,
  checksum text not null,
  transactional boolean not null,
  state text not null check (state in ('running', 'done')),
  total integer not null,
  applied integer not null default 0,
  run uuid,
  started_at timestamptz not null default clock_timestamp(),
  applied_at timestamptz,
  duration_ms bigint
);

-- One row per statement of a migration that runs statement by statement.
create table liftlock.statements (
  migration text not null references liftlock.migrations,
  ordinal integer not null,
  checksum text not null,
  state text not null check (state in ('running', 'done', 'failed')),
  -- indexes that were there before it ran first: one that it built without naming it is none of them
  before text[] not null default '{}',
  sqlstate text,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (migration, ordinal)
);

-- Audit events, hash-chained; `body` is exactly what is sent.
create table liftlock.audit_outbox (
  sequence bigint primary key,
  id uuid not null unique,
  kind text not null,
  run uuid,
  body text not null,
  previous_hash text not null,
  hash text not null,
  created_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  last_error text
);

-- Where each table's sync into one mirror stands. A run that was stopped is the one without `finished_at`.
create table liftlock.sync_tables (
  id integer generated always as identity primary key,
  -- identity of the mirror, kept in the mirror itself; `place` is where it was last seen
  mirror text not null,
  place text not null,
  table_name text not null,
  -- identity of the table in the mirror, known after the first acknowledged batch
  mirror_table text,
  -- `system_identifier/oid`: another database answers here after a restore
  database text not null,
  -- version of the column mapping that the hashes belong to
  mapping text not null,
  -- fields of columns that are gone, still to be removed from the mirror by this run
  unset text[] not null default '{}',
  run uuid not null,
  fence bigint not null,
  -- everything up to this key is done in this pass; null: nothing yet
  cursor_key bytea,
  -- number of the last batch acknowledged in `run`
  batch bigint not null default 0,
  -- the last batch that the mirror acknowledged at all
  acknowledged_run uuid,
  acknowledged_batch bigint,
  counters jsonb not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  unique (mirror, table_name)
);

-- What the mirror holds, as last acknowledged: `sync` is `sync_tables.id`. Keys are bytes because a composite
-- key has U+0000 between its parts, which `text` cannot hold; bytes sort as the keys do.
create table liftlock.sync_ledger (
  sync integer not null,
  key bytea not null,
  hash bigint not null,
  primary key (sync, key)
);

-- version 2

-- What is known of restore points that are kept elsewhere and cannot be noted there: what was counted once they were
-- made. A restore that has taken everything along has a row, too: `restored:` and the name of what it preserved; and
-- `ended:` and that name once its audit event is written.
create table liftlock.restore_points (
  nonce text primary key,
  recorded jsonb not null,
  noted_at timestamptz not null default clock_timestamp()
);
