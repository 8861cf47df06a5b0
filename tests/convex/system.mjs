// What Convex answers about itself: the system queries and listings that a preflight asks for. Their shapes are read in
// the server's public source and are not documented.
import { demand, demandAdmin, VIEW } from "./auth.mjs";
import { FunctionError } from "./failures.mjs";

const tablesOf = (runtime) => Object.entries(runtime.library.schema?.tables ?? {});

function indexesOf(runtime, name, backfilling) {
  const table = tablesOf(runtime).find(([it]) => it === name)?.[1];
  const declared = table?.export().indexes ?? [];
  return declared.map((it) => ({
    table: name,
    name: it.indexDescriptor,
    fields: [...it.fields, "_creationTime"],
    staged: false,
    backfill: { state: backfilling.includes(name) ? "in_progress" : "done" },
  }));
}

async function apiSpec(runtime) {
  return (await runtime.functions()).map(([path, it]) => ({
    identifier: path.replace(":", ".js:"),
    functionType: it.isQuery ? "Query" : it.isMutation ? "Mutation" : "Action",
    visibility: { kind: it.isInternal ? "internal" : "public" },
    args: it.exportArgs(),
    returns: it.exportReturns(),
  }));
}

/** The value of a query whose path begins with `_system/`. */
export async function systemQuery(runtime, options, path, args, who) {
  demandAdmin(who);
  demand(who, VIEW);
  switch (path.replace(/:default$/, "")) {
    case "_system/cli/tableSize":
      return await runtime.asApp(async (db) => (await db.query(args.tableName).collect()).length);
    case "_system/cli/tables":
      return { page: tablesOf(runtime).map(([name]) => ({ name })), isDone: true, continueCursor: "end" };
    case "_system/cli/modules:apiSpec":
      return await apiSpec(runtime);
    case "_system/frontend/indexes":
      return indexesOf(runtime, args.tableName, options.backfilling ?? []);
    default:
      throw new FunctionError(`Could not find public function for '${path}'.`);
  }
}

/** The answer to a GET of this path; null when there is nothing. */
export function listing(runtime, options, path, who) {
  if (path === "/api/check_admin_key") {
    demandAdmin(who);
    return { success: true, allowedOps: who.operations, isReadOnly: who.isReadOnly };
  }
  if (path === "/api/get_indexes") {
    demand(who, VIEW);
    return { indexes: tablesOf(runtime).flatMap(([name]) => indexesOf(runtime, name, options.backfilling ?? [])) };
  }
  if (path === "/api/shapes2") {
    demand(who, VIEW);
    return Object.fromEntries(tablesOf(runtime).map(([name]) => [name, { type: "Unknown" }]));
  }
  return null;
}
