// The limits of values and documents that convex-test does not check, where Convex checks them.
// https://docs.convex.dev/production/state/limits
import { badBody, FunctionError } from "./failures.mjs";

const MIB = 1024 * 1024;
export const BODY_BYTES = 16 * MIB + 2000;
const ARGUMENT_BYTES = 16 * MIB;
const ELEMENTS = 8192;
const FIELDS = 1024;
const NESTING = 64;
const DOCUMENT_NESTING = 16;
const DOCUMENT_BYTES = MIB;
const FIELD_CHARACTERS = 1024;

const isEncoded = (fields) => fields.length === 1 && ["$integer", "$bytes", "$float"].includes(fields[0]);

/** Of an argument as it was sent. */
export function checkArgument(value, depth = 0) {
  if (depth > NESTING) throw new FunctionError(`an argument is nested deeper than ${NESTING} levels`);
  // Text that is not Unicode does not get through the real server's JSON reader.
  if (typeof value === "string" && !value.isWellFormed()) throw badBody("a string has a lone surrogate");
  if (value === null || typeof value !== "object") return;
  if (Array.isArray(value)) {
    if (value.length > ELEMENTS) throw new FunctionError(`an array has ${value.length} elements, at most ${ELEMENTS} fit`);
    for (const element of value) checkArgument(element, depth + 1);
    return;
  }
  const fields = Object.keys(value);
  if (isEncoded(fields)) return;
  if (fields.length > FIELDS) throw new FunctionError(`an object has ${fields.length} fields, at most ${FIELDS} fit`);
  for (const field of fields) {
    if (field.startsWith("$")) throw new FunctionError("a field name begins with `$`, which is reserved");
    if (field.length > FIELD_CHARACTERS) throw new FunctionError(`a field name is longer than ${FIELD_CHARACTERS} characters`);
    if (!/^[\x20-\x7e]*$/.test(field)) throw new FunctionError("a field name is not printable ASCII");
    checkArgument(value[field], depth + 1);
  }
}

/** Of all arguments of a call. */
export function checkArguments(size, path) {
  if (size > ARGUMENT_BYTES) throw new FunctionError(`arguments of ${path} are too large: ${size} bytes, at most ${ARGUMENT_BYTES}`);
}

function nesting(value) {
  if (value === null || typeof value !== "object" || value instanceof ArrayBuffer) return 0;
  return 1 + Math.max(0, ...(Array.isArray(value) ? value : Object.values(value)).map(nesting));
}

/** Of a document that is to be written. */
export function checkDocument(document, size) {
  if (size > DOCUMENT_BYTES) throw new Error(`Value is too large (${size} bytes > maximum size ${DOCUMENT_BYTES} bytes)`);
  const depth = nesting(document);
  if (depth > DOCUMENT_NESTING) throw new Error(`Value is too nested: ${depth} levels, at most ${DOCUMENT_NESTING}`);
  const system = Object.keys(document).find((it) => it.startsWith("_") && it !== "_id" && it !== "_creationTime");
  if (system !== undefined) throw new Error("Field names at the top of a document do not begin with `_`");
}

/** A value in the encoding that the caller asked for. */
export function encoded(format, value, convexToJson) {
  const isExact = format === "convex_encoded_json" || format === "convex_json";
  return isExact ? convexToJson(value ?? null) : lossy(value);
}

function lossy(value) {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(lossy);
  if (typeof value !== "object") return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(fields.map(([field, inner]) => [field, lossy(inner)]));
}

/** As the server writes JSON: a number that happens to be whole keeps its point, `1.0`. */
export function asJson(value) {
  if (typeof value === "number" && Number.isInteger(value)) return /e/.test(String(value)) ? String(value) : `${value}.0`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(asJson).join(",")}]`;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return `{${fields.map(([field, inner]) => `${JSON.stringify(field)}:${asJson(inner)}`).join(",")}}`;
}
