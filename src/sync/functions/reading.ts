// Pages of a table, and what is known without reading one.

import type { GenericQueryCtx } from "convex/server";
import type { Value } from "convex/values";
import { PROTOCOL, withinLimits, type Model } from "./guard";
import { sources } from "./tables";
import { sizeOf } from "./values";
import { stateOf } from "./writing";

export type Context = GenericQueryCtx<Model>;

export type Page = { table: string; after: string | null; through: string | null; limit: number };

type Mirrored = Record<string, Value | undefined> & {
  neon: { key: string; hash: string; deletedAt: string | null };
};

// An array that a function returns may have 8,192 elements, and its whole answer 16 MiB.
const LONGEST_PAGE = 8000;
const LARGEST_ANSWER = 4 * 1024 * 1024;

/** The documents of one page, and the key to go on after, null at the end of the range. */
async function page(ctx: Context, { table, after, through, limit }: Page) {
  const wanted = Math.max(1, Math.min(Math.floor(limit), LONGEST_PAGE));
  const found = (await ctx.db
    .query(table)
    .withIndex("by_neon_key", (q) => {
      const lower = after === null ? q.gte("neon.key", "") : q.gt("neon.key", after);
      return through === null ? lower : lower.lte("neon.key", through);
    })
    .take(wanted)) as Mirrored[];
  // Behind all strings come bytes, arrays and objects: not ours.
  const ours = found.filter((it) => typeof it.neon.key === "string");
  const isEnd = found.length < wanted || ours.length < found.length;
  const last = ours[ours.length - 1];
  return { ours, next: isEnd || last === undefined ? null : last.neon.key };
}

function isLive(document: Mirrored): boolean {
  return (document.neon.deletedAt ?? null) === null;
}

/** What the app has broken is a hash that no row has. */
function hashOf(document: Mirrored): string {
  const { hash } = document.neon;
  return typeof hash === "string" && /^[0-9a-f]{16}$/.test(hash) ? hash : "0".repeat(16);
}

export async function scan(ctx: Context, asked: Page) {
  return await withinLimits(async () => {
    const { ours, next } = await page(ctx, asked);
    const rows = ours.filter(isLive).map((it) => ({ key: it.neon.key, hash: hashOf(it) }));
    return { rows, next };
  });
}

export async function digest(ctx: Context, asked: Page) {
  return await withinLimits(async () => {
    const { ours, next } = await page(ctx, asked);
    let [live, high, low] = [0, 0, 0];
    for (const document of ours.filter(isLive)) {
      const hash = hashOf(document);
      live++;
      high ^= parseInt(hash.slice(0, 8), 16);
      low ^= parseInt(hash.slice(8), 16);
    }
    const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
    return { live, deleted: ours.length - live, hashes: hex(high) + hex(low), next };
  });
}

export async function documents(ctx: Context, asked: Page & { fields: string[] }) {
  return await withinLimits(async () => {
    const { fields, ...range } = asked;
    const { ours, next } = await page(ctx, range);
    const documents: { key: string; hash: string; deletedAt: string | null; doc: Record<string, Value> }[] = [];
    let size = 0;
    for (const document of ours) {
      const doc: Record<string, Value> = {};
      for (const field of fields) {
        const value = document[field];
        if (value !== undefined) doc[field] = value;
      }
      size += sizeOf(doc);
      const last = documents[documents.length - 1];
      if (last !== undefined && size > LARGEST_ANSWER) return { documents, next: last.key };
      const { key, deletedAt } = document.neon;
      documents.push({ key, hash: hashOf(document), deletedAt: deletedAt ?? null, doc });
    }
    return { documents, next };
  });
}

export async function table(ctx: Context, asked: { table: string }) {
  const state = await stateOf(ctx, asked.table);
  if (state === null) return null;
  const { _id, mapping, fence, last, live, deleted } = state;
  return { id: _id, mapping, fence, last, live, deleted };
}

export async function counts(ctx: Context, asked: { table?: string }) {
  const names = asked.table === undefined ? sources.map((it) => it.table) : [asked.table];
  const states = await Promise.all(names.map((name) => stateOf(ctx, name)));
  return states.filter((it) => it !== null).map(({ table, live, deleted }) => ({ table, live, deleted }));
}

export async function version(ctx: Context, liftlock: string) {
  const identity = await ctx.db.query("liftlock_identity").first();
  return { protocol: PROTOCOL, liftlock, tables: sources, id: identity?.id ?? null, class: await deploymentClass(ctx) };
}

/** Where this version of Convex tells it; older ones have no `meta`. */
async function deploymentClass(ctx: Context): Promise<string | null> {
  const { meta } = ctx as { meta?: { getDeploymentMetadata?: () => Promise<{ class?: string }> } };
  const found = await meta?.getDeploymentMetadata?.().catch(() => undefined);
  return found?.class ?? null;
}
