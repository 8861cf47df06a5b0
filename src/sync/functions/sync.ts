/**
 * What `liftlock sync` calls in this deployment. Everything that it writes, it writes through `upsertBatch` and
 * `softDelete`; the rest reads. liftlock owns this folder: `liftlock convex init` writes it anew.
 *
 * Two doors lead to the same code:
 *   - internal functions (`upsertBatch`, …): reachable with a deploy key only;
 *   - public ones (`upsertBatchWithKey`, …): one more argument, `authKey`, which must equal the deployment's
 *     environment variable LIFTLOCK_SYNC_AUTH_KEY. Without that variable, or when it is shorter than 32
 *     characters, they refuse everybody: SyncAuthNotConfigured.
 *
 * A mirrored row is one document: the row's columns under their field names, whatever fields the app added, and one
 * object `neon`: { key, hash, deletedAt }. `key` orders as the primary key does, `hash` is 16 hex digits,
 * `deletedAt` is null while the row is live, else the `now` of the batch that removed it. Documents without `neon.key`
 * are the app's own: they are neither read nor counted.
 *
 * mutation  describe({ propose }) → { id }
 *   Which mirror this is. The first caller's proposal (a UUID) becomes the identity for ever.
 *
 * mutation  upsertBatch({ protocol, table, run, number, part?, content, fence, mapping: { version, fields }, unset,
 *                         rows: [{ key, hash, doc }], softDelete: [key], hardDelete: [key], now }) → Receipt
 * mutation  softDelete({ protocol, table, run, number, part?, content, fence, mapping, keys, now }) → Receipt
 *   Receipt: { table, run, number, tally: { inserted, updated, unchanged, deleted, revived }, through, replayed,
 *              metrics }
 *   All of a batch or nothing. `rows`, `softDelete` and `hardDelete` are each in key order, and no key is in two of
 *   them. A row is patched, never replaced: fields that `doc` does not name stay, those in `unset` go. A row that
 *   holds the same already is not written. (run, number) of a table counts once: again, with the same `content` (any
 *   digest of the batch), it changes nothing and gets its first receipt with `replayed: true`; with another,
 *   BatchMismatch. Rows of this ledger are kept for a week at least. `fence` lower than the table's highest: StaleRun.
 *   `part: { path, isLast }` is for a batch that was too large: its pieces have different paths and one number, and
 *   only the piece that is last becomes the table's last batch. A piece with other content and a higher fence than
 *   before is taken as a new one: whoever sent the old one is fenced off.
 *   `table` in the receipt is the table's identity, as in `table`; `through` the highest key of the batch.
 *   `metrics` is what the transaction used so far, or null where Convex does not tell:
 *   { bytesRead, bytesWritten, documentsRead, documentsWritten, databaseQueries }.
 *
 * query     version({}) → { protocol, liftlock, tables: [{ table, source }], id, class }
 *   `protocol` is the number that writers must send. `tables` are the mirrored ones, with the name at the source.
 *   `id` is the identity, null before the first `describe`. `class` is the deployment's ("s16", …), null when unknown.
 *
 * query     table({ table }) → null | { id, mapping: { version, fields }, fence, last: { run, number, tally, through } | null,
 *                                       live, deleted }
 *   What is known without reading the table. `id` changes when the table is made anew. null: never written to.
 *
 * query     counts({ table? }) → [{ table, live, deleted }]
 *   Kept by the batches, so free; documents that the app removed are still in them. Tables never written to are left
 *   out.
 *
 * query     scan({ table, after, through, limit }) → { rows: [{ key, hash }], next }
 *   Live documents with keys above `after` (null: from the first) up to and with `through` (null: to the last).
 * query     digest({ table, after, through, limit }) → { live, deleted, hashes, next }
 *   Counts of live and deleted ones, and the XOR of the live ones' hashes, 16 hex digits.
 * query     documents({ table, after, through, limit, fields }) → { documents: [{ key, hash, deletedAt, doc }], next }
 *   Live and deleted ones; `doc` has only `fields`, so that what the app added stays at home.
 *   Each reads at most `limit` documents in key order. `next` is null at the range's end, else what to give as
 *   `after` for the next page; a page may be shorter than `limit`, or empty, before that.
 *   `scan` and `digest` vouch for the hashes that are stored, not for fields that the app changed behind them: for
 *   that, read `documents` and compute the hashes again.
 *
 * Refusals are ConvexErrors; decide by `data.code`:
 *   SyncAuthNotConfigured { variable, reason: "missing" | "short" }   SyncUnauthorized
 *   ArgumentRefused { argument }          of a public function; null: one too many
 *   VersionMismatch { expected }          the caller speaks another protocol
 *   StaleRun { fence }                    a newer run has written; `fence` is the highest seen
 *   BatchMismatch { number }              this batch was written before with other content
 *   RowsNotSorted { list, position }      list: "rows", "softDelete", "hardDelete"; or "between" for a key in two
 *   ReservedField { position, field }     `_…` and `neon` are not for columns; position is in `rows`, null for `unset`
 *   DuplicateKey { position, list }       two documents have this key: the app copied one
 *   RowRefused { position, reason }       Convex takes every row but this; reason: "size", "nesting", "field",
 *                                         "schema", "other"
 *   LimitExceeded { limit }               too much for one transaction: send it in parts, or ask for a shorter page
 * No refusal and no log line holds a value or a key. Convex's own checks of arguments come before all of this at the
 * internal door, and may quote rows in the deployment's log; at the public one there are none, as they would quote the
 * key.
 */

import {
  internalMutationGeneric,
  internalQueryGeneric,
  mutationGeneric,
  queryGeneric,
  type GenericMutationCtx,
} from "convex/server";
import { v, type ObjectType, type PropertyValidators } from "convex/values";
import { assertArguments, assertKey, type Model } from "./guard";
import * as reading from "./reading";
import { mapping, mirroredTable } from "./tables";
import * as writing from "./writing";

/** The liftlock that wrote this folder. */
const LIFTLOCK = "0.0.0";

const identity = {
  protocol: v.number(),
  table: mirroredTable,
  run: v.string(),
  number: v.number(),
  part: v.optional(v.object({ path: v.string(), isLast: v.boolean() })),
  content: v.string(),
  fence: v.number(),
  mapping,
  now: v.string(),
};

const row = v.object({ key: v.string(), hash: v.string(), doc: v.any() });

const range = {
  table: mirroredTable,
  after: v.union(v.null(), v.string()),
  through: v.union(v.null(), v.string()),
  limit: v.number(),
};

export const [describe, describeWithKey] = mutations({ propose: v.string() }, async (ctx, { propose }) => {
  const known = await ctx.db.query("liftlock_identity").first();
  if (known !== null) return { id: known.id as string };
  await ctx.db.insert("liftlock_identity", { id: propose });
  return { id: propose };
});

export const [upsertBatch, upsertBatchWithKey] = mutations(
  {
    ...identity,
    unset: v.array(v.string()),
    rows: v.array(row),
    softDelete: v.array(v.string()),
    hardDelete: v.array(v.string()),
  },
  writing.write,
);

export const [softDelete, softDeleteWithKey] = mutations(
  { ...identity, keys: v.array(v.string()) },
  (ctx, { keys, ...batch }) => writing.write(ctx, { ...batch, unset: [], rows: [], softDelete: keys, hardDelete: [] }),
);

export const [version, versionWithKey] = queries({}, (ctx) => reading.version(ctx, LIFTLOCK));

export const [table, tableWithKey] = queries({ table: mirroredTable }, reading.table);

export const [counts, countsWithKey] = queries({ table: v.optional(mirroredTable) }, reading.counts);

export const [scan, scanWithKey] = queries(range, reading.scan);

export const [digest, digestWithKey] = queries(range, reading.digest);

export const [documents, documentsWithKey] = queries({ ...range, fields: v.array(v.string()) }, reading.documents);

/** Both doors of a mutation: the internal one, and the public one with the key. */
function mutations<Args extends PropertyValidators, Result>(
  args: Args,
  work: (ctx: GenericMutationCtx<Model>, args: ObjectType<Args>) => Promise<Result>,
) {
  return [
    internalMutationGeneric({ args: args as PropertyValidators, handler: (ctx, given) => work(ctx, given as never) }),
    mutationGeneric({ args: v.any(), handler: (ctx, given) => work(ctx, admitted(args, given) as never) }),
  ] as const;
}

/** Both doors of a query. */
function queries<Args extends PropertyValidators, Result>(
  args: Args,
  work: (ctx: reading.Context, args: ObjectType<Args>) => Promise<Result>,
) {
  return [
    internalQueryGeneric({ args: args as PropertyValidators, handler: (ctx, given) => work(ctx, given as never) }),
    queryGeneric({ args: v.any(), handler: (ctx, given) => work(ctx, admitted(args, given) as never) }),
  ] as const;
}

/** The arguments without the key, when the key and they are right. */
function admitted(args: PropertyValidators, given: unknown) {
  const { authKey, ...rest } = given as Record<string, unknown>;
  assertKey(typeof authKey === "string" ? authKey : "");
  assertArguments(args, rest);
  return rest;
}
