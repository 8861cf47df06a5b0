// Sorted indexes below convex-test's in-memory database. On its own it looks at every document of every table for
// every query: a sync of n rows would take n² steps.
//
// Nothing is decided here: candidates are found by binary search and handed to convex-test's own code, which checks,
// sorts and filters them again. All that can go wrong is that there are too few.

const BUILT_IN = { by_id: ["_id"], by_creation_time: ["_creationTime", "_id"] };

/** The name of a document's table: convex-test's ids are digits and then the table. */
export const tableOf = (id) => id.replace(/^[0-9]+/, "");

function firstWhere(rows, isIt) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isIt(rows[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function install({ DatabaseFake, evaluateFieldPath, evaluateRangeFilter, compareValues, jsonToConvex, getTransactionManager }) {
  const prototype = DatabaseFake.prototype;
  const states = new WeakMap(); // database → { tables: table → id → document, indexes: "table.index" → index }

  function stateOf(database) {
    if (!states.has(database)) states.set(database, { tables: new Map(), indexes: new Map() });
    return states.get(database);
  }
  const keyOf = (document, fields) => fields.map((field) => evaluateFieldPath(field, document));
  function compare(one, other, length = one.length) {
    for (let at = 0; at < length; at++) {
      const order = compareValues(one[at], other[at]);
      if (order !== 0) return order;
    }
    return 0;
  }
  const literal = (value) =>
    value && typeof value === "object" && "$undefined" in value ? undefined : jsonToConvex(value);

  function fieldsOf(database, table, name) {
    if (BUILT_IN[name]) return BUILT_IN[name];
    const declared = database._schema?.tables.get(table)?.indexes ?? [];
    const index = declared.find((it) => it.indexDescriptor === name);
    return index ? [...index.fields, ...BUILT_IN.by_creation_time] : null;
  }

  /** The index, built when it is first asked for; null when the schema has none. */
  function indexOf(database, table, name) {
    const { tables, indexes } = stateOf(database);
    const path = `${table}.${name}`;
    if (!indexes.has(path)) {
      const fields = fieldsOf(database, table, name);
      if (fields === null) return null;
      const rows = [...(tables.get(table)?.values() ?? [])].map((it) => ({ key: keyOf(it, fields), document: it }));
      rows.sort((one, other) => compare(one.key, other.key));
      indexes.set(path, { table, fields, rows });
    }
    return indexes.get(path);
  }
  function remove(index, document) {
    const key = keyOf(document, index.fields);
    const at = firstWhere(index.rows, (it) => compare(it.key, key) >= 0);
    if (index.rows[at]?.document._id === document._id) index.rows.splice(at, 1);
  }
  function add(index, document) {
    const key = keyOf(document, index.fields);
    const last = index.rows.at(-1);
    const isBehind = last === undefined || compare(last.key, key) < 0;
    const at = isBehind ? index.rows.length : firstWhere(index.rows, (it) => compare(it.key, key) >= 0);
    index.rows.splice(at, 0, { key, document });
  }

  // Only the outermost commit makes writes visible.
  const commit = prototype.commit;
  prototype.commit = function (...given) {
    const touched = this._writes.length === 1 ? Object.keys(this._writes[0]) : [];
    const result = commit.apply(this, given);
    const { tables, indexes } = stateOf(this);
    for (const id of touched) {
      const table = tableOf(id);
      if (!tables.has(table)) tables.set(table, new Map());
      const documents = tables.get(table);
      const [before, after] = [documents.get(id), this._documents[id] ?? null];
      for (const index of indexes.values()) {
        if (index.table !== table) continue;
        if (before) remove(index, before);
        if (after) add(index, after);
      }
      if (after) documents.set(id, after);
      else documents.delete(id);
    }
    return result;
  };

  /** What the open transaction has written to the table, level by level. */
  function pendingOf(database, table) {
    const entries = database._writes.flatMap((level) => Object.entries(level));
    return entries.filter(([id]) => tableOf(id) === table);
  }

  prototype._iterateDocs = function (table, visit) {
    const pending = new Map(pendingOf(this, table));
    for (const [id, document] of stateOf(this).tables.get(table) ?? []) if (!pending.has(id)) visit(document);
    for (const document of pending.values()) if (document) visit(document);
  };

  const resolve = prototype._resolveQuerySource;
  prototype._resolveQuerySource = function (query) {
    const { type, indexName, range, order } = query.source;
    const [table, name] = type === "IndexRange" ? indexName.split(".") : [];
    const index = table && indexOf(this, table, name);
    // Full scans, searches and indexes that are not there are convex-test's own business.
    if (!index) return resolve.call(this, query);
    const equal = range.filter((it) => it.type === "Eq").map((it) => literal(it.value));
    let [low, isLowIn, high, isHighIn] = [equal, true, equal, true];
    for (const it of range) {
      if (it.type === "Gt" || it.type === "Gte") [low, isLowIn] = [[...equal, literal(it.value)], it.type === "Gte"];
      if (it.type === "Lt" || it.type === "Lte") [high, isHighIn] = [[...equal, literal(it.value)], it.type === "Lte"];
    }
    const against = (bound) => (it) => compare(it.key, bound, bound.length);
    const isFrom = (it) => (isLowIn ? against(low)(it) >= 0 : against(low)(it) > 0);
    const isBehind = (it) => (isHighIn ? against(high)(it) > 0 : against(high)(it) >= 0);
    const from = low.length > 0 ? firstWhere(index.rows, isFrom) : 0;
    let to = high.length > 0 ? firstWhere(index.rows, isBehind) : index.rows.length;
    const pending = pendingOf(this, table);
    // A page needs no more candidates than it has documents, those that the transaction has changed left aside.
    const limit = query.operators.find((it) => "limit" in it)?.limit;
    const isPlain = (order ?? "asc") === "asc" && !query.operators.some((it) => "filter" in it);
    if (isPlain && limit !== undefined) to = Math.min(to, from + limit + pending.length);
    const found = new Map();
    for (let at = from; at < to; at++) found.set(index.rows[at].document._id, index.rows[at].document);
    for (const [id, document] of pending) {
      if (document && range.every((it) => evaluateRangeFilter(document, it))) found.set(id, document);
      else found.delete(id);
    }
    // Shadows the prototype's for this one call.
    this._iterateDocs = (_table, visit) => {
      for (const document of found.values()) visit(document);
    };
    try {
      return resolve.call(this, query);
    } finally {
      delete this._iterateDocs;
    }
  };

  // In Convex each of these reads its document through an index range of its own; convex-test does not count that.
  for (const operation of ["patch", "replace", "delete"]) {
    const stock = prototype[operation];
    prototype[operation] = function (...given) {
      getTransactionManager().getMetricsTracker()?.trackIndexRange();
      return stock.apply(this, given);
    };
  }
}
