// Convex values: equal or not, and how large.

import type { Value } from "convex/values";

/** Equal in every bit that Convex stores: NaN equals NaN, and 0 is not -0. */
export function isSame(one: Value | undefined, other: Value | undefined): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (one instanceof ArrayBuffer || other instanceof ArrayBuffer) return areSameBytes(one, other);
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, at) => isSame(value, other[at]));
  }
  const ours = new Map(Object.entries(one).filter(([, value]) => value !== undefined));
  const theirs = new Map(Object.entries(other).filter(([, value]) => value !== undefined));
  return ours.size === theirs.size && [...ours].every(([field, value]) => isSame(value, theirs.get(field)));
}

function areSameBytes(one: unknown, other: unknown): boolean {
  if (!(one instanceof ArrayBuffer) || !(other instanceof ArrayBuffer)) return false;
  if (one.byteLength !== other.byteLength) return false;
  const bytes = new Uint8Array(other);
  return new Uint8Array(one).every((byte, at) => byte === bytes[at]);
}

/** In bytes, as Convex counts; https://docs.convex.dev/database/types has the parts. */
export function sizeOf(value: Value | undefined): number {
  if (value === undefined) return 0;
  if (value === null || typeof value === "boolean") return 1;
  if (typeof value === "number" || typeof value === "bigint") return 9;
  if (typeof value === "string") return 2 + bytesOf(value);
  if (value instanceof ArrayBuffer) return 2 + value.byteLength;
  let size = 2;
  if (Array.isArray(value)) {
    for (const element of value) size += sizeOf(element);
  } else {
    for (const [field, inner] of Object.entries(value)) size += field.length + 1 + sizeOf(inner);
  }
  return size;
}

/** Of the text as UTF-8. */
function bytesOf(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
