// What Convex allows per second and at a time: bytes written in the last second, looked at before a mutation runs, and
// permits. https://docs.convex.dev/production/state/limits
import { performance } from "node:perf_hooks";
import { ServiceError } from "./failures.mjs";

const WINDOW_MILLIS = 1000;
const PERMIT_WAIT_MILLIS = 5000;
const SERVER_RETRIES = 4;

export const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

export class Pace {
  retries = 0;
  #written = []; // [when, bytes]
  #used = 0;
  #waiting = [];

  constructor(options) {
    this.options = options; // { writeRate: bytes a second, permits: calls at a time, permitWait: milliseconds }
  }

  wrote(bytes) {
    this.#written.push([performance.now(), bytes]);
  }

  #isOver() {
    const oldest = performance.now() - WINDOW_MILLIS;
    while (this.#written.length > 0 && this.#written[0][0] < oldest) this.#written.shift();
    return this.#written.reduce((sum, [, bytes]) => sum + bytes, 0) > this.options.writeRate;
  }

  /** The server itself tries again a few times before it says no. */
  async untilWritesFit() {
    for (let [attempt, pause] = [0, 100]; this.#isOver(); attempt++, pause = Math.min(pause * 2, 2000)) {
      if (attempt >= SERVER_RETRIES) {
        throw new ServiceError(429, "TooManyWrites", `more than ${this.options.writeRate} bytes a second`);
      }
      this.retries++;
      await sleep(pause * Math.random());
    }
  }

  async permitted(work) {
    await this.#permit();
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#used--;
    }
  }

  async #permit() {
    const { permits, permitWait = PERMIT_WAIT_MILLIS } = this.options;
    if (this.#used < permits) {
      this.#used++;
      return;
    }
    await new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1);
        reject(new ServiceError(429, "TooManyConcurrentRequests", `no permit within ${permitWait} ms (${permits} at a time)`));
      }, permitWait);
      this.#waiting.push(admit);
    });
  }
}
