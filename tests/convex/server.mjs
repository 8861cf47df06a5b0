// A Convex deployment on 127.0.0.1 for tests: an app's real functions run by convex-test, behind Convex's HTTP API.
//
//   node server.mjs '{"tools": "target/convex", "app": "folder with convex/", …}'
//
// It prints one line, {"url": …}, when it listens, and ends when its stdin does, so that it never outlives who started
// it. Statuses, codes and envelopes are Convex's as read in its public source; the wording of messages is not: who calls
// must decide by status, `code` and `errorData.code`. Nothing here says anything about Convex's speed.
//
// What it does not show: conflicts of transactions (they run one at a time; they can be injected), the limits of memory
// and computing time, latency, what a proxy in front of the real service adds, and the billing.
import { randomBytes } from "node:crypto";
import http from "node:http";
import { caller, demandAdmin } from "./auth.mjs";
import { control } from "./control.mjs";
import { badBody, FunctionError, ServiceError } from "./failures.mjs";
import { Faults, refuseFor } from "./faults.mjs";
import { Pace, sleep } from "./pace.mjs";
import { Runtime } from "./runtime.mjs";
import { listing, systemQuery } from "./system.mjs";
import { asJson, BODY_BYTES, encoded } from "./values.mjs";

const FORMATS = ["json", "convex_encoded_json", "convex_json", "convex_clean_json", "export_json"];
const USER_MILLIS = 1000;
const now = Date.now.bind(Date);

const options = {
  keys: [{ key: "prod:test-server|made-up" }],
  syncAuthKey: null,
  writeRate: 4 * 1024 * 1024,
  permits: 16,
  redact: true,
  version: "test-server",
  ...JSON.parse(process.argv[2] ?? "{}"),
};
const statistics = { calls: {}, succeeded: 0, functionErrors: 0, serviceErrors: 0, slowest: 0, inFlight: 0, mostInFlight: 0 };
const faults = new Faults();
const pace = new Pace(options);
const runtime = await Runtime.open(options, pace);
const server = { runtime, options, faults, statistics, pace, configure };
configure();

/** The deployment's environment variables, and its clock: `clockMillis` ahead of the real one. */
function configure() {
  Date.now = () => now() + (options.clockMillis ?? 0);
  if (options.syncAuthKey === null) delete process.env.LIFTLOCK_SYNC_AUTH_KEY;
  else process.env.LIFTLOCK_SYNC_AUTH_KEY = options.syncAuthKey;
}

async function bodyOf(request, response) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES) {
      response.setHeader("connection", "close");
      throw badBody(`the body is over ${BODY_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw badBody("the body is not JSON");
  }
}

function checkHeaders(request) {
  const client = request.headers["convex-client"];
  if (client !== undefined && !/^.+-\d+\.\d+\.\d+([-+][\w.+-]+)?$/.test(client)) {
    throw new ServiceError(400, "InvalidClientVersion", "Convex-Client is not name-version");
  }
  if (request.method === "POST" && !/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    throw badBody("the content type must be application/json");
  }
}

/** What a request asks for: { wanted, path, args, format }. */
function callOf(pathname, body, who) {
  const route = /^\/api\/(query|mutation|action|function)$/.exec(pathname)?.[1];
  if (route === "function") demandAdmin(who);
  const run = /^\/api\/run\/(.+)\/([^/]+)$/.exec(pathname);
  if (route === undefined && run === null) return null;
  const path = run ? `${run[1].split("/").map(decodeURIComponent).join("/")}:${decodeURIComponent(run[2])}` : body.path;
  if (typeof path !== "string") throw badBody("missing field `path`");
  const args = Array.isArray(body.args) ? (body.args[0] ?? {}) : body.args;
  if (args === null || typeof args !== "object") throw badBody("`args` must be an object");
  const wanted = route === undefined || route === "function" ? "any" : route;
  const format = body.format ?? "json";
  if (!FORMATS.includes(format)) throw new ServiceError(400, "BadFormat", "no such format");
  return { wanted, path, args, format };
}

/** A function's envelope. Failures of the service are thrown. */
async function envelope({ wanted, path, args, format }, who, response) {
  const { convexToJson } = runtime.library;
  try {
    if (path.startsWith("_system/")) {
      return { status: "success", value: encoded(format, await systemQuery(runtime, options, path, args, who), convexToJson) };
    }
    const { value, millis } = await runtime.call(wanted, path, args, who);
    statistics.succeeded++;
    statistics.slowest = Math.max(statistics.slowest, millis);
    // The real server would have stopped the function.
    if (millis > USER_MILLIS) response.setHeader("x-test-over-user-time", millis.toFixed(0));
    return { status: "success", value: encoded(format, value, convexToJson) };
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    statistics.functionErrors++;
    return failure(error, format, who);
  }
}

function failure(error, format, who) {
  const head = `[Request ID: ${randomBytes(8).toString("hex")}] Server Error`;
  const isOurs = error !== null && typeof error === "object" && Symbol.for("ConvexError") in error;
  const data = isOurs && typeof error.data === "string" ? fromText(error.data) : error?.data;
  const text = error instanceof FunctionError ? error.message : `Uncaught ${isOurs ? `ConvexError: ${JSON.stringify(data)}` : error}`;
  const isHidden = options.redact && !who.isAdmin;
  const told = { status: "error", errorMessage: isHidden ? head : `${head}\n${text}` };
  return isOurs ? { ...told, errorData: encoded(format, data, runtime.library.convexToJson) } : told;
}

/** convex-test hands the data of a ConvexError over as it goes through the wire. */
function fromText(data) {
  try {
    return runtime.library.jsonToConvex(JSON.parse(data));
  } catch {
    return data;
  }
}

function send(response, status, value) {
  const text = typeof value === "string" ? value : asJson(value);
  const type = typeof value === "string" ? "text/plain" : "application/json";
  if (options.deprecation) response.setHeader("x-convex-deprecation-message", options.deprecation);
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function sendHtml(response) {
  response.writeHead(502, { "content-type": "text/html" });
  response.end("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n");
}

/** Answers a call, with its fault when it has one. */
async function answer(request, response, call, who) {
  statistics.calls[call.path] = (statistics.calls[call.path] ?? 0) + 1;
  statistics.mostInFlight = Math.max(statistics.mostInFlight, ++statistics.inFlight);
  try {
    const fault = faults.next(call.path);
    refuseFor(fault);
    if (fault?.kind === "drop_before") return request.socket.destroy();
    if (fault?.kind === "html502") return sendHtml(response);
    if (fault?.kind === "timeout408") return response.writeHead(408, { connection: "close" }).end();
    if (fault?.kind === "function_error") return send(response, 200, failure(new FunctionError(fault.message), call.format, who));
    const told = await envelope(call, who, response);
    if (fault?.kind === "drop_after") return request.socket.destroy();
    if (fault?.kind === "html502_after") return sendHtml(response);
    if (fault?.kind === "slow") await sleep(fault.millis ?? 1000);
    if (fault?.kind === "garbled_after") return send(response, 200, "{");
    if (fault?.kind === "truncated_after") return truncate(request, response, told);
    return send(response, 200, told);
  } finally {
    statistics.inFlight--;
  }
}

function truncate(request, response, told) {
  const text = asJson(told);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.write(text.slice(0, text.length / 2), () => request.socket.destroy());
}

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  if (pathname.startsWith("/__test/")) {
    const told = await control(server, pathname.slice("/__test/".length), parsed((await bodyOf(request, response)) || "{}"));
    return told === null ? send(response, 404, { code: "NotFound", message: "no such control" }) : send(response, 200, JSON.stringify(told));
  }
  if (request.method === "GET" && pathname === "/version") return send(response, 200, options.version);
  if (request.method === "GET" && pathname === "/instance_name") return send(response, 200, "test-server");
  const text = await bodyOf(request, response);
  checkHeaders(request);
  const who = caller(request.headers.authorization, options.keys);
  if (request.method === "GET") {
    const told = listing(runtime, options, pathname, who);
    return told === null ? send(response, 404, { code: "NotFound", message: "not found" }) : send(response, 200, told);
  }
  const body = parsed(text);
  if (pathname === "/api/query_batch") {
    if (!Array.isArray(body.queries)) throw badBody("missing field `queries`");
    const calls = body.queries.map((it) => callOf("/api/query", it, who));
    refuseFor(faults.next("/api/query_batch"));
    const results = await runtime.inTurn(async () => {
      const told = [];
      for (const call of calls) told.push(await envelope(call, who, response));
      return told;
    });
    return send(response, 200, { results });
  }
  const call = callOf(pathname, body, who);
  if (call === null) return send(response, 404, { code: "NotFound", message: "not found" });
  await answer(request, response, call, who);
}

const listener = http.createServer((request, response) => {
  serve(request, response).catch((error) => {
    statistics.serviceErrors++;
    if (error instanceof ServiceError) return send(response, error.status, { code: error.code, message: error.message });
    console.error(error);
    send(response, 500, { code: "InternalServerError", message: "the test server failed: see its stderr" });
  });
});
listener.requestTimeout = 0;
listener.keepAliveTimeout = 60_000;
listener.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ url: `http://127.0.0.1:${listener.address().port}` })));
process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));
