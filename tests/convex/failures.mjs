// The two ways in which Convex says no.

/** The function, or the call of it: HTTP 200 with `status: "error"`. Its text is hidden from callers without a key. */
export class FunctionError extends Error {}

/** The service: an HTTP status with `{ code, message }`. */
export class ServiceError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const badBody = (why) => new ServiceError(400, "BadJsonBody", why);
