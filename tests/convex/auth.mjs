// Who calls: nobody, or someone with a deploy key, which may be limited to some operations.
import { ServiceError } from "./failures.mjs";

export const RUN = {
  query: "deployment:functions:runInternalQueries",
  mutation: "deployment:functions:runInternalMutations",
  action: "deployment:functions:runInternalActions",
};
export const VIEW = "deployment:data:view";
const EVERYTHING = [...Object.values(RUN), VIEW, "deployment:functions:runTestQuery", "deployment:deploy", "deployment:backups:import"];

/** `prod:name|secret` → `name|secret`: the server does not look at the kind. */
const bare = (key) => key.replace(/^(prod|dev|preview):/, "");

/** `keys`: [{ key, operations?: [name], isReadOnly?: bool }]; without `operations` it may do everything. */
export function caller(header, keys) {
  if (header === undefined) return { isAdmin: false, operations: [] };
  if (/^bearer /i.test(header)) throw new ServiceError(401, "InvalidAuthHeader", "no token provider is configured");
  if (!/^convex /i.test(header)) throw new ServiceError(400, "InvalidHeaderFailure", "unknown authorization scheme");
  const given = bare(header.slice("convex ".length).trim());
  const known = keys.find((it) => bare(it.key) === given);
  if (known === undefined) throw new ServiceError(403, "BadDeployKey", "the deploy key is not for this deployment");
  return { isAdmin: true, operations: known.operations ?? EVERYTHING, isReadOnly: known.isReadOnly ?? false };
}

export function demandAdmin(who) {
  if (!who.isAdmin) throw new ServiceError(403, "BadDeployKey", "this needs a deploy key");
}

export function demand(who, operation) {
  demandAdmin(who);
  if (!who.operations.includes(operation)) {
    throw new ServiceError(403, "OperationNotPermitted", `the deploy key does not permit the operation \`${operation}\``);
  }
}
