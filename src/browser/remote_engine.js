// An engine in a worker of its own, so that pictures can be looked at while the network runs.

import { pieceFor } from "./engine.js";
import { OutOfMemory } from "./memory.js";

/** Calls to a worker that answers `{id, value}` or `{id, problem}`. */
export class Remote {
  #worker;
  #asked = new Map();
  #count = 0;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data: { id, value, problem, report } }) => {
      const call = this.#asked.get(id);
      if (!call) return;
      if (report !== undefined) return void call.report?.(report);
      this.#asked.delete(id);
      if (problem) call.failed(revived(problem));
      else call.done(value);
    };
    worker.onerror = (event) => {
      event.preventDefault?.();
      const words = event.message || "a part of this page could not be loaded; reload it";
      for (const { failed } of this.#asked.values()) failed(new Error(words));
      this.#asked.clear();
      this.broken = words;
    };
  }

  /** @param {(value: unknown) => void} [report] hears what the worker says meanwhile */
  call(name, values = [], { transfer = [], report } = {}) {
    if (this.broken) return Promise.reject(new Error(this.broken));
    const id = (this.#count += 1);
    return new Promise((done, failed) => {
      this.#asked.set(id, { done, failed, report });
      this.#worker.postMessage({ id, name, values }, transfer);
    });
  }

  end() {
    this.#worker.terminate();
    for (const { failed } of this.#asked.values()) failed(Object.assign(new Error("stopped"), { name: "AbortError" }));
    this.#asked.clear();
  }
}

function revived({ name, message }) {
  const error = name === "OutOfMemory" ? new OutOfMemory() : new Error(message);
  error.name = name;
  return error;
}

/** The side of the worker: `methods` by name; each gets its values, and `report`. */
export function serve(methods) {
  return async ({ data: { id, name, values } }) => {
    try {
      const value = await methods[name](...values, (report) => postMessage({ id, report }));
      postMessage({ id, value }, transferable(value));
    } catch (error) {
      postMessage({ id, problem: { name: error.name, message: error.message } });
    }
  };
}

const transferable = (value) =>
  (Array.isArray(value) ? value : [value]).map((one) => one?.planes?.buffer ?? (ArrayBuffer.isView(one) ? one.buffer : null)).filter((one) => one instanceof ArrayBuffer);

/** What behaves like an Engine, in a worker. */
export class RemoteEngine {
  #remote;
  #count = 0;

  constructor(remote, about) {
    this.#remote = remote;
    Object.assign(this, about); // scale, channels, threads, instructions
  }

  /** @param {object} how  `{folder, model}`: the address of a build, and that of a model's file */
  static async open(worker, how) {
    const remote = new Remote(worker);
    return new RemoteEngine(remote, await remote.call("open", [how]));
  }

  async session(height, width, piece = pieceFor(height, width)) {
    const number = (this.#count += 1);
    await this.#remote.call("begin", [number, height, width, piece]);
    return {
      piece,
      push: (planes) => this.#remote.call("push", [number, planes], { transfer: [planes.buffer] }),
      close: () => this.#remote.call("end", [number]).catch(() => {}),
    };
  }

  /** Seconds that the network takes for a pixel on this machine. */
  pace() {
    return this.#remote.call("pace");
  }

  memory() {
    return this.#remote.call("memory");
  }

  close() {
    this.#remote.end();
  }
}
