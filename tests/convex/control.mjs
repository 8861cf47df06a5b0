// For tests only, below /__test: faults, options, what the app does to its own data, and what was counted.

const mine = (db, { table, key }) =>
  db.query(table).withIndex("by_neon_key", (it) => it.eq("neon.key", key)).collect();

export async function control(server, path, body) {
  const { runtime, options, faults, statistics, pace } = server;
  const { convexToJson, jsonToConvex } = runtime.library;
  switch (path) {
    case "faults":
      faults.set(body);
      return {};
    case "options":
      Object.assign(options, body);
      server.configure();
      return {};
    case "statistics":
      return { ...statistics, serverRetries: pace.retries, written: runtime.written, residentBytes: process.memoryUsage().rss };
    // The app sets fields of mirrored documents, or takes them away with `null` in `removed`.
    case "patch":
      return await runtime.asApp(async (db) => {
        const removed = Object.fromEntries((body.removed ?? []).map((it) => [it, undefined]));
        const documents = await mine(db, body);
        for (const it of documents) await db.patch(it._id, { ...jsonToConvex(body.fields ?? {}), ...removed });
        return { documents: documents.length };
      });
    case "insert":
      return await runtime.asApp(async (db) => ({ id: await db.insert(body.table, jsonToConvex(body.document)) }));
    case "delete":
      return await runtime.asApp(async (db) => {
        const documents = body.key == null ? await db.query(body.table).collect() : await mine(db, body);
        for (const it of documents) await db.delete(it._id);
        return { documents: documents.length };
      });
    case "documents": {
      const found = await runtime.asApp(async (db) => await db.query(body.table).collect());
      return { documents: found.map((it) => convexToJson(it)) };
    }
    // Sizes by Convex's own formula, to hold another one against.
    case "sizes":
      return { sizes: body.values.map((it) => runtime.library.getConvexSize(jsonToConvex(it))) };
    default:
      return null;
  }
}
