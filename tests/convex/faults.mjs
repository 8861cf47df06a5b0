// Faults on demand: [{ path, nth?: [1, …], kind, millis?, message? }]. `path` is a function's, or `*`; `nth` counts its calls
// from the request that set the faults, and without it every call is meant.
import { ServiceError } from "./failures.mjs";

/** Refused before the function runs. */
const REFUSALS = {
  occ503: [503, "OptimisticConcurrencyControlFailure"],
  overloaded503: [503, "ExpiredInQueue"],
  internal500: [500, "InternalServerError"],
  writes429: [429, "TooManyWrites"],
  requests429: [429, "TooManyConcurrentRequests"],
  key403: [403, "BadDeployKey"],
  token401: [401, "Unauthenticated"],
  missing404: [404, "DeploymentNotFound"],
  misdirected421: [421, "MisdirectedRequest"],
  early425: [425, "TooEarly"],
  reads400: [400, "TooManyReads"],
  system400: [400, "SystemTimeoutError"],
};

/**
 * What else may happen. `drop_…`: the connection is closed without an answer. `…_after`: the function has run and its
 * writes are there, but the caller does not learn it. `function_error`: what Convex says about a function with HTTP 200,
 * in the words of `message`: a paused deployment, a function that took too long.
 */
const OTHERS = [
  "drop_before",
  "drop_after",
  "slow",
  "truncated_after",
  "garbled_after",
  "html502",
  "html502_after",
  "timeout408",
  "function_error",
];

export class Faults {
  #faults = [];
  #calls = new Map();

  set(faults) {
    const unknown = faults.find((it) => !(it.kind in REFUSALS) && !OTHERS.includes(it.kind));
    if (unknown) throw new Error(`no such fault: ${unknown.kind}`);
    this.#faults = faults;
    this.#calls.clear();
  }

  /** The fault of this call. */
  next(path) {
    const count = (name) => {
      const calls = (this.#calls.get(name) ?? 0) + 1;
      this.#calls.set(name, calls);
      return calls;
    };
    const calls = { [path]: count(path), "*": count("*") };
    return this.#faults.find((it) => it.path in calls && (it.nth === undefined || it.nth.includes(calls[it.path])));
  }
}

export function refuseFor(fault) {
  const refusal = REFUSALS[fault?.kind];
  if (refusal) throw new ServiceError(...refusal, "injected");
}
