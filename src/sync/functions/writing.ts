// Batches: all of one or nothing, and each once.

import type { GenericMutationCtx, GenericQueryCtx } from "convex/server";
import type { GenericId, Value } from "convex/values";
import { limitOf, PROTOCOL, refuse, withinLimits, type Model } from "./guard";
import { isSame } from "./values";

export type Context = GenericMutationCtx<Model>;
type Fields = Record<string, Value>;

export type Batch = {
  protocol: number;
  table: string;
  run: string;
  number: number;
  part?: { path: string; isLast: boolean };
  content: string;
  fence: number;
  mapping: { version: string; fields: string[] };
  unset: string[];
  rows: { key: string; hash: string; doc: Fields }[];
  softDelete: string[];
  hardDelete: string[];
  now: string;
};

export type Tally = { inserted: number; updated: number; unchanged: number; deleted: number; revived: number };

/** What a transaction has used so far. */
export type Metrics = {
  bytesRead: number;
  bytesWritten: number;
  documentsRead: number;
  documentsWritten: number;
  databaseQueries: number;
};

export type Receipt = {
  table: string;
  run: string;
  number: number;
  tally: Tally;
  through: string;
  replayed: boolean;
  metrics: Metrics | null;
};

type Neon = { key: string; hash: string; deletedAt: string | null };
type Mirrored = Fields & { _id: GenericId<string>; neon: Neon };

/** How often the documents of a table become live, deleted or nothing. */
type Change = { live: number; deleted: number };

// Convex lets a function have 1,000 calls to the database open at a time.
const AT_A_TIME = 500;

// Longer than any run that is still resumed.
const LEDGER_MILLIS = 7 * 24 * 60 * 60 * 1000;
const PRUNED_PER_CALL = 8;

/** The table's row in our books; null when nothing was ever written to the table. */
export async function stateOf(ctx: Context | GenericQueryCtx<Model>, table: string) {
  return await ctx.db
    .query("liftlock_tables")
    .withIndex("by_table", (q) => q.eq("table", table))
    .unique();
}

export async function write(ctx: Context, batch: Batch): Promise<Receipt> {
  return await withinLimits(async () => {
    if (batch.protocol !== PROTOCOL) refuse("VersionMismatch", { expected: PROTOCOL });
    const { table, run, number, content, fence, mapping } = batch;
    const part = batch.part?.path ?? "";
    const state = await stateOf(ctx, table);
    const seen = await ctx.db
      .query("liftlock_batches")
      .withIndex("by_batch", (q) => q.eq("table", table).eq("run", run).eq("number", number).eq("part", part))
      .unique();
    if (seen !== null && seen.content === content) {
      const { tally, through } = seen;
      return { table: state?._id ?? "", run, number, tally, through, replayed: true, metrics: await metrics(ctx) };
    }
    const isNewPiece = batch.part !== undefined && seen !== null && fence > seen.fence;
    if (seen !== null && !isNewPiece) refuse("BatchMismatch", { number });
    if (state !== null && fence < state.fence) refuse("StaleRun", { fence: state.fence });
    const through = assertOrder(batch);
    assertFields(batch);

    const tally: Tally = { inserted: 0, updated: 0, unchanged: 0, deleted: 0, revived: 0 };
    const change: Change = { live: 0, deleted: 0 };
    await put(ctx, batch, tally, change);
    await markDeleted(ctx, batch, tally, change);
    await remove(ctx, batch, tally, change);

    const last = batch.part?.isLast === false ? (state?.last ?? null) : { run, number, tally, through };
    const live = (state?.live ?? 0) + change.live;
    const deleted = (state?.deleted ?? 0) + change.deleted;
    const standing = { table, mapping, fence, last, live, deleted };
    const id = state?._id ?? (await ctx.db.insert("liftlock_tables", standing));
    if (state !== null) await ctx.db.patch(state._id, standing);
    const row = { table, run, number, part, content, fence, tally, through };
    if (seen !== null) await ctx.db.replace(seen._id, row);
    else await ctx.db.insert("liftlock_batches", row);
    await prune(ctx, table);
    return { table: id, run, number, tally, through, replayed: false, metrics: await metrics(ctx) };
  });
}

/** The batch's highest key. */
function assertOrder(batch: Batch): string {
  const lists: [string, string[]][] = [
    ["rows", batch.rows.map((row) => row.key)],
    ["softDelete", batch.softDelete],
    ["hardDelete", batch.hardDelete],
  ];
  const taken = new Set<string>();
  let through = "";
  for (const [list, keys] of lists) {
    for (const [position, key] of keys.entries()) {
      const before = keys[position - 1];
      if (before !== undefined && !(before < key)) refuse("RowsNotSorted", { list, position });
      if (taken.has(key)) refuse("RowsNotSorted", { list: "between", position });
      taken.add(key);
      if (key > through) through = key;
    }
  }
  return through;
}

function assertFields({ rows, unset }: Batch) {
  const isReserved = (field: string) => field === "neon" || field.startsWith("_");
  for (const [position, row] of rows.entries()) {
    const field = Object.keys(row.doc).find(isReserved);
    if (field !== undefined) refuse("ReservedField", { position, field });
  }
  const field = unset.find(isReserved);
  if (field !== undefined) refuse("ReservedField", { position: null, field });
}

async function put(ctx: Context, batch: Batch, tally: Tally, change: Change) {
  const { table, rows, unset } = batch;
  const held = await documents(ctx, table, "rows", rows.map((row) => row.key));
  const gone = Object.fromEntries(unset.map((field) => [field, undefined]));
  await inChunks(rows, async ({ key, hash, doc }, position) => {
    const neon: Neon = { key, hash, deletedAt: null };
    const old = held[position];
    if (old === null || old === undefined) {
      await accepted(position, () => ctx.db.insert(table, { ...doc, neon }));
      tally.inserted++;
      change.live++;
      return;
    }
    const isLive = old.neon.deletedAt === null;
    if (isLive && holds(old, hash, doc, unset)) {
      tally.unchanged++;
      return;
    }
    await accepted(position, () => ctx.db.patch(old._id, { ...gone, ...doc, neon }));
    if (isLive) {
      tally.updated++;
    } else {
      tally.revived++;
      change.live++;
      change.deleted--;
    }
  });
}

/** Whether the document has all that would be written already: an equal hash alone says what was written once. */
function holds(old: Mirrored, hash: string, doc: Fields, unset: string[]): boolean {
  return (
    old.neon.hash === hash &&
    Object.entries(doc).every(([field, value]) => isSame(old[field], value)) &&
    unset.every((field) => field in doc || old[field] === undefined)
  );
}

async function markDeleted(ctx: Context, batch: Batch, tally: Tally, change: Change) {
  const held = await documents(ctx, batch.table, "softDelete", batch.softDelete);
  await inChunks(held, async (old, position) => {
    if (old === null || old.neon.deletedAt !== null) {
      tally.unchanged++;
      return;
    }
    const neon = { ...old.neon, deletedAt: batch.now };
    await accepted(position, () => ctx.db.patch(old._id, { neon }));
    tally.deleted++;
    change.live--;
    change.deleted++;
  });
}

async function remove(ctx: Context, batch: Batch, tally: Tally, change: Change) {
  const held = await documents(ctx, batch.table, "hardDelete", batch.hardDelete);
  await inChunks(held, async (old) => {
    if (old === null) {
      tally.unchanged++;
      return;
    }
    await ctx.db.delete(old._id);
    tally.deleted++;
    if (old.neon.deletedAt === null) change.live--;
    else change.deleted--;
  });
}

/** The documents with these keys, each in its key's place. */
async function documents(ctx: Context, table: string, list: string, keys: string[]) {
  const found: (Mirrored | null)[] = new Array(keys.length).fill(null);
  await inChunks(keys, async (key, position) => {
    const query = ctx.db.query(table).withIndex("by_neon_key", (q) => q.eq("neon.key", key));
    const [first, second] = (await query.take(2)) as Mirrored[];
    if (second !== undefined) refuse("DuplicateKey", { list, position });
    found[position] = first ?? null;
  });
  return found;
}

async function inChunks<T>(items: T[], work: (item: T, position: number) => Promise<void>) {
  for (let start = 0; start < items.length; start += AT_A_TIME) {
    const chunk = items.slice(start, start + AT_A_TIME);
    await Promise.all(chunk.map((item, at) => work(item, start + at)));
  }
}

const REASONS: [RegExp, string][] = [
  [/too large|maximum size|bytes, at most/i, "size"],
  [/nest/i, "nesting"],
  [/schema|validator/i, "schema"],
  [/field/i, "field"],
];

/** Names the row that Convex does not take. Convex's own message may quote values, so that it stays behind. */
async function accepted<T>(position: number, work: () => Promise<T>) {
  try {
    await work();
  } catch (error) {
    if (limitOf(error) !== null) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const reason = REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? "other";
    refuse("RowRefused", { position, reason });
  }
}

/** A few of the oldest batches, so that no call pays for all. */
async function prune(ctx: Context, table: string) {
  const oldest = Date.now() - LEDGER_MILLIS;
  const old = await ctx.db
    .query("liftlock_batches")
    .withIndex("by_table", (q) => q.eq("table", table).lt("_creationTime", oldest))
    .take(PRUNED_PER_CALL);
  for (const batch of old) await ctx.db.delete(batch._id);
}

type Used = { used: number };

/** Where this version of Convex tells it; older ones have no `meta`. */
async function metrics(ctx: Context): Promise<Metrics | null> {
  const { meta } = ctx as { meta?: { getTransactionMetrics?: () => Promise<Record<keyof Metrics, Used>> } };
  const found = await meta?.getTransactionMetrics?.().catch(() => undefined);
  if (found === undefined) return null;
  return {
    bytesRead: found.bytesRead.used,
    bytesWritten: found.bytesWritten.used,
    documentsRead: found.documentsRead.used,
    documentsWritten: found.documentsWritten.used,
    databaseQueries: found.databaseQueries.used,
  };
}
