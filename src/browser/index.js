// InvDN for programs: in a page, where a worker does the work, and in node.
//
//   import { Denoiser } from "invdn";
//
//   const denoiser = await Denoiser.open();
//   const { blob } = await denoiser.denoise(file, { onProgress: (share) => console.log(share) });
//   denoiser.close();

import { LOOKS, USUAL } from "./image/blending.js";

const inNode = typeof process === "object" && Boolean(process.versions?.node);

export class Denoiser {
  #ask;
  #end;
  #count = 0;

  /** Use `Denoiser.open`. */
  constructor(ask, end) {
    this.#ask = ask;
    this.#end = end;
  }

  /**
   * @param {{model?: "default" | "fast", base?: string | URL, threads?: number}} [options]  base: the folder
   *   that holds `engine/` and `models/`, where that is not the package's own
   */
  static async open({ model = "default", base = new URL("./dist/", import.meta.url), threads } = {}) {
    if (inNode) return openInNode(model, new URL(base), threads);
    const { Remote } = await import("./remote_engine.js");
    const remote = new Remote(new Worker(new URL("./studio_worker.js", import.meta.url)));
    await remote.call("begin", [{ base: new URL(base, globalThis.location.href).href }]);
    const ask = (name, values, report) => remote.call(name, values, { report });
    await ask("about", [model]);
    return new Denoiser((name, values, report) => ask(name, name === "denoise" ? [...values, model] : values, report), () => remote.end());
  }

  /**
   * Take the noise out of a JPEG or PNG file.
   *
   * @param {Blob | Uint8Array | ArrayBuffer} file
   * @param {object} [options]  strength, luminance, chroma, detail, look and stars as the command has them
   * @returns {Promise<{blob: Blob, width: number, height: number, seconds: number, remarks: string[], noise: object | null}>}
   */
  async denoise(file, { onProgress = () => {}, signal, look = "natural", stars = false, ...shares } = {}) {
    signal?.throwIfAborted();
    if (!Object.hasOwn(LOOKS, look)) throw new RangeError(`look must be one of ${Object.keys(LOOKS).join(", ")}, not ${look}`);
    if (typeof stars !== "boolean") throw new TypeError(`stars must be true or false, not ${stars}`);
    for (const name of Object.keys(shares)) if (!Object.hasOwn(USUAL, name)) throw new TypeError(`there is no option '${name}'`);
    const chosen = { ...USUAL, ...shares };
    for (const [name, value] of Object.entries(chosen)) {
      if (!(value >= 0 && value <= 1) && !(name === "strength" && value === "auto")) {
        throw new RangeError(`${name} must be ${name === "strength" ? "'auto', or " : ""}from 0 to 1, not ${value}`);
      }
    }
    const bytes = file instanceof Uint8Array ? file.slice() : new Uint8Array(file instanceof ArrayBuffer ? file.slice(0) : await file.arrayBuffer());
    const id = `photo-${(this.#count += 1)}`;
    const { width, height, remarks } = await this.#ask("open", [bytes, id]);
    const stop = () => this.#ask("stop", [id]);
    signal?.addEventListener("abort", stop);
    try {
      const done = await this.#ask("denoise", [id], onProgress);
      const blob = await this.#ask("product", [id, { ...chosen, look, stars }]);
      return { blob, width, height, seconds: done.seconds, remarks: [...remarks, ...done.remarks], noise: done.noise };
    } finally {
      signal?.removeEventListener("abort", stop);
      await this.#ask("forget", [id]);
    }
  }

  /** End the worker and free its memory. */
  close() {
    this.#end();
  }
}

async function openInNode(model, base, threads = 1) {
  const [{ Studio }, { Engine }, { PixelWork }, { readModel }, { factoryOf }, { readFile }, { fileURLToPath }] = await Promise.all([
    import("./studio.js"), import("./engine.js"), import("./image/pixel_work.js"), import("./model.js"), import("./node.js"), import("node:fs/promises"), import("node:url"),
  ]);
  const path = (name) => fileURLToPath(new URL(name, base));
  const factory = await factoryOf(path(`engine/${threads > 1 ? "simd-threads" : "simd"}/invdn.js`));
  const file = await readFile(path(`models/${model}.safetensors`));
  const weights = readModel(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
  const engine = await Engine.open(factory, weights, { threads });
  const jpeg = (await factoryOf(path("engine/jpeg/jpeg.js")))();
  const numbers = async (name) => JSON.parse(await readFile(path(`models/${name}.json`), "utf8"));
  const work = new PixelWork(await (await factoryOf(path("engine/pixels/pixels.js")))(), await numbers("noise_shares"));
  const studio = new Studio({ engine: async () => engine, jpeg: () => jpeg, work: () => work, errors: () => numbers("error_map") });
  const ask = (name, values, report) => studio[name](...values, ...(name === "denoise" ? [model, report] : []));
  return new Denoiser(async (...call) => ask(...call), () => engine.close());
}
