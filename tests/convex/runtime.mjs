// An app's functions, run by convex-test, with the checks and the counting that it leaves out.
import { AsyncLocalStorage } from "node:async_hooks";
import { performance } from "node:perf_hooks";
import { demand, RUN } from "./auth.mjs";
import { bundle } from "./bundle.mjs";
import { FunctionError, ServiceError } from "./failures.mjs";
import { install, tableOf } from "./indexed.mjs";
import { checkArgument, checkArguments, checkDocument } from "./values.mjs";

const KINDS = ["Query", "Mutation", "Action"];
const kindOf = (registered) => KINDS.find((it) => registered?.[`is${it}`])?.toLowerCase();
const notFound = (path) => new FunctionError(`Could not find public function for '${path}'. Did you forget to deploy it?`);

export class Runtime {
  #modules = new Map();
  #turn = Promise.resolve();
  #having = new AsyncLocalStorage();
  /** What the running transaction has written: table → [documents, bytes]. */
  #writes = new Map();

  static async open(options, pace) {
    const library = await bundle(options.tools, options.app);
    install(library);
    return new Runtime(library, options, pace);
  }

  constructor(library, options, pace) {
    this.library = library;
    this.options = options;
    this.pace = pace;
    this.written = {}; // table → documents, since the start
    this.watch();
    const { convexTest, schema, modules } = library;
    this.test = convexTest({ schema, modules, transactionLimits: options.limits ?? true });
  }

  /** Looks at every document on its way into the database. */
  watch() {
    const { DatabaseFake, getDocumentSize } = this.library;
    const runtime = this;
    const addWrite = DatabaseFake.prototype._addWrite;
    DatabaseFake.prototype._addWrite = function (id, document) {
      const size = document ? getDocumentSize(document) : 0;
      if (document) checkDocument(document, size);
      const [documents, bytes] = runtime.#writes.get(tableOf(id)) ?? [0, 0];
      runtime.#writes.set(tableOf(id), [documents + 1, bytes + size]);
      return addWrite.call(this, id, document);
    };
  }

  /** One after another: all of `work` sees one state of the database. */
  async inTurn(work) {
    if (this.#having.getStore()) return await work();
    const before = this.#turn;
    let done;
    this.#turn = new Promise((resolve) => (done = resolve));
    await before;
    try {
      return await this.#having.run(true, work);
    } finally {
      done();
    }
  }

  async #find(path) {
    const [module, name = "default"] = path.replace(/\.js(?=:|$)/, "").split(":");
    if (!this.#modules.has(module)) {
      const load = this.library.modules[`/convex/${module}.ts`];
      this.#modules.set(module, load ? await load() : undefined);
    }
    return this.#modules.get(module)?.[name];
  }

  /** All functions of the app: [path, registered]. */
  async functions() {
    const names = Object.keys(this.library.modules).filter((it) => !it.includes("_generated"));
    const found = [];
    for (const name of names) {
      const module = name.replace(/^\/convex\//, "").replace(/\.ts$/, "");
      const exported = Object.entries(await this.library.modules[name]());
      found.push(...exported.filter(([, it]) => kindOf(it)).map(([it, registered]) => [`${module}:${it}`, registered]));
    }
    return found;
  }

  /** Runs a function for a caller, as `wanted` ("any" for whatever it is), and gives its value and its milliseconds. */
  async call(wanted, path, args, who) {
    const registered = await this.#find(path);
    const kind = kindOf(registered);
    if (kind === undefined || (registered.isInternal && !who.isAdmin)) throw notFound(path);
    if (wanted !== "any" && wanted !== kind) throw new FunctionError(`Trying to execute ${path} as ${wanted}, but it is a ${kind}.`);
    if (registered.isInternal) demand(who, RUN[kind]);
    if (who.isReadOnly && kind === "mutation") throw new ServiceError(403, "OperationNotPermitted", "the deploy key is read-only");
    checkArgument(args);
    const decoded = this.#decoded(args);
    checkArguments(this.library.getConvexSize(decoded), path);
    return await this.pace.permitted(async () => {
      if (kind === "mutation") await this.pace.untilWritesFit();
      return await this.#run(kind, path, decoded);
    });
  }

  #decoded(args) {
    try {
      return this.library.jsonToConvex(args);
    } catch (error) {
      throw new FunctionError(`arguments are not Convex values: ${error.message}`);
    }
  }

  async #run(kind, path, args) {
    return await this.inTurn(async () => {
      const began = performance.now();
      this.#writes.clear();
      const value = await this.test[kind]({ [Symbol.for("functionName")]: path }, args);
      if (kind === "mutation") this.#committed();
      return { value, millis: performance.now() - began };
    });
  }

  #committed() {
    let total = 0;
    for (const [table, [documents, bytes]] of this.#writes) {
      this.written[table] = (this.written[table] ?? 0) + documents;
      total += bytes;
    }
    this.pace.wrote(total);
  }

  /** Something that the app does to its own database, besides the functions. */
  async asApp(work) {
    return await this.inTurn(() => this.test.run(async (context) => await work(context.db)));
  }
}
