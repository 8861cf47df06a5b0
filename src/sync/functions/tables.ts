// The mirrored tables, and those that liftlock keeps its own books in. Your schema spreads them:
//
//   import { defineSchema } from "convex/server";
//   import { liftlockTables } from "./liftlock/tables";
//
//   export default defineSchema({ ...liftlockTables /* , your tables */ });
//
// For an index of your own on a mirrored table, name it again after the spread:
//
//   orders: liftlockTables.orders.index("by_status", ["status"]),

import { defineTable } from "convex/server";
import { v } from "convex/values";

// Any fields: the columns are Postgres's business, and yours may stand beside them.
const mirrored = () => defineTable(v.any()).index("by_neon_key", ["neon.key"]);

const tally = v.object({
  inserted: v.number(),
  updated: v.number(),
  unchanged: v.number(),
  deleted: v.number(),
  revived: v.number(),
});

const written = v.object({ run: v.string(), number: v.number(), tally, through: v.string() });

export const mapping = v.object({ version: v.string(), fields: v.array(v.string()) });

export const liftlockTables = {
  // mirrored begin
  customers: mirrored(),
  shop__orders: mirrored(),
  // mirrored end

  /** One document: which mirror this is. */
  liftlock_identity: defineTable({ id: v.string() }),

  /** One document per mirrored table: where it stands. */
  liftlock_tables: defineTable({
    table: v.string(),
    mapping,
    fence: v.number(),
    last: v.union(v.null(), written),
    live: v.number(),
    deleted: v.number(),
  }).index("by_table", ["table"]),

  /** One document per batch, so that a batch counts once. Old ones are removed along the way. */
  liftlock_batches: defineTable({
    table: v.string(),
    run: v.string(),
    number: v.number(),
    part: v.string(),
    content: v.string(),
    fence: v.number(),
    tally,
    through: v.string(),
  })
    .index("by_batch", ["table", "run", "number", "part"])
    .index("by_table", ["table"]),
};

/** What may be named in a call: no other table can be reached. */
export const mirroredTable = v.union(
  // names begin
  v.literal("customers"),
  v.literal("shop__orders"),
  // names end
);

/** The tables' names at the source. */
export const sources: { table: string; source: string }[] = [
  // sources begin
  { table: "customers", source: "customers" },
  { table: "shop__orders", source: "shop.orders" },
  // sources end
];
