// Who may call, how a call is refused, and what these functions know of the database.

import { ConvexError, type GenericValidator, type PropertyValidators, type Value } from "convex/values";

/** Tables by names that are only known when a call comes. Indexes have at most four fields here. */
type Table = { document: any; fieldPaths: string; indexes: Record<string, Path>; searchIndexes: {}; vectorIndexes: {} };
type Path = [string, string, string, string, string, string];
export type Model = Record<string, Table>;

/** Grows when callers and functions would misunderstand each other. */
export const PROTOCOL = 1;

// Convex has it in every function; an app need not have Node's types.
declare const process: { env: Record<string, string | undefined> };

const KEY_VARIABLE = "LIFTLOCK_SYNC_AUTH_KEY";
const SHORTEST_KEY = 32;

/** Aborts the transaction. `detail` must hold no value of a row and no key. */
export function refuse(code: string, detail: Record<string, Value> = {}): never {
  throw new ConvexError({ code, ...detail });
}

/** For public functions: lets nobody in without the shared key. */
export function assertKey(given: string): void {
  const expected = process.env[KEY_VARIABLE];
  if (expected === undefined || expected === "") {
    refuse("SyncAuthNotConfigured", { variable: KEY_VARIABLE, reason: "missing" });
  }
  if (expected.length < SHORTEST_KEY) {
    refuse("SyncAuthNotConfigured", { variable: KEY_VARIABLE, reason: "short" });
  }
  if (!isSame(given, expected)) refuse("SyncUnauthorized");
}

/** Takes the same time wherever the first difference is, and whatever the length of `expected`. */
function isSame(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let at = 0; at < given.length; at++) {
    difference |= given.charCodeAt(at) ^ expected.charCodeAt(at % expected.length);
  }
  return difference === 0;
}

/**
 * Checks what Convex checks by itself where a function names its arguments. Public functions do not name them: Convex
 * would quote all arguments of a call that does not fit, the key among them, in the deployment's log.
 */
export function assertArguments(validators: PropertyValidators, given: Record<string, unknown>): void {
  for (const [argument, validator] of Object.entries(validators)) {
    if (!fits(validator, given[argument])) refuse("ArgumentRefused", { argument });
  }
  if (Object.keys(given).some((it) => !Object.keys(validators).includes(it))) refuse("ArgumentRefused", { argument: null });
}

/** Of the kinds of validators that these functions use. */
function fits(validator: GenericValidator, value: unknown): boolean {
  if (value === undefined) return validator.isOptional === "optional";
  switch (validator.kind) {
    case "any":
      return true;
    case "null":
      return value === null;
    case "string":
      return typeof value === "string";
    case "float64":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "literal":
      return value === validator.value;
    case "union":
      return validator.members.some((it: GenericValidator) => fits(it, value));
    case "array":
      return Array.isArray(value) && value.every((it) => fits(validator.element, it));
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof ArrayBuffer) return false;
      const fields: PropertyValidators = validator.fields;
      const inner = value as Record<string, unknown>;
      return (
        Object.entries(fields).every(([field, it]) => fits(it, inner[field])) &&
        Object.keys(inner).every((field) => Object.keys(fields).includes(field))
      );
    }
    default:
      return false;
  }
}

const LIMITS: [RegExp, string][] = [
  [/too many reads|index ranges/i, "ranges"],
  [/writ|wrote/i, "written"],
  [/read|scanned/i, "read"],
];

/** Which limit of a transaction an error of the database is about; null when it is about something else. */
export function limitOf(error: unknown): string | null {
  if (error instanceof ConvexError) return null;
  const message = error instanceof Error ? error.message : String(error);
  if (!/in a single function execution|too many (reads|writes|bytes|documents)/i.test(message)) return null;
  return LIMITS.find(([pattern]) => pattern.test(message))?.[1] ?? "other";
}

/**
 * Does the work, and turns an exceeded limit into a refusal that callers can tell apart: Convex's own message does not
 * reach a caller without a deploy key. The second of computing and the memory of one call cannot be caught.
 */
export async function withinLimits<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const limit = limitOf(error);
    if (limit === null) throw error;
    refuse("LimitExceeded", { limit });
  }
}
