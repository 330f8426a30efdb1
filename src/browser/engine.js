// The network in WebAssembly: rows of the noisy picture in, rows of the denoised one out.
//
// The module is that of src/native/web.cpp. A call does not return before its rows are done, so the
// engine belongs into a worker; between two calls others have their turn.

import { OutOfMemory, Room } from "./memory.js";

/** Thrown where the monitor ended the work. */
export class Stopped extends Error {
  name = "Stopped";
}

/** Most pixels that go through in one piece; more go in rows. The same bits come out. */
const WHOLE = 1 << 18;
const PIECE = 1e5; // pixels that are worth a push
/** Bytes that rows in flight take for each column (docs/native.md), by model, and pixels of a whole picture. */
const PER_COLUMN = { default: 80_000, fast: 40_000 };
const [PER_PIXEL, OWN] = [160, 70e6];

/** Bytes of the engine's memory for a picture of this size. */
export const memoryFor = (width, height, model) =>
  OWN + (width * height <= WHOLE ? width * height * PER_PIXEL : width * PER_COLUMN[model]);

export class Engine {
  #module;
  #model;

  constructor(module, model, { blocks, channels, threads }) {
    this.#module = module;
    this.#model = model;
    this.scale = 2 ** blocks.length;
    this.channels = channels;
    this.threads = threads;
  }

  /**
   * @param {(options: object) => Promise<object>} factory  what the module's script defines
   * @param {{blocks: number[], features: number, channels: number, weights: Float32Array}} model
   * @param {{threads?: number, instructions?: string, options?: object}} [choices]  `options` go to the
   *   module: `locateFile`, `mainScriptUrlOrBlob`, and `monitor`, which ends the work by a number that is not 0
   */
  static async open(factory, { blocks, features, channels, weights }, { threads = 1, instructions = "auto", options = {} } = {}) {
    const module = await factory({ ...options, threads: Math.max(1, threads - 1) });
    const room = new Room(module);
    try {
      const [numbers, counts, name] = [weights, Int32Array.from(blocks), new TextEncoder().encode(`${instructions}\0`)].map((array) => room.keep(array));
      const model = module._invdn_open(numbers, weights.length, counts, blocks.length, features, channels, threads, name);
      if (!model) throw failure(module);
      return new Engine(module, model, { blocks, channels, threads });
    } finally {
      room.free();
    }
  }

  get instructions() {
    return words(this.#module, this.#module._invdn_instructions(this.#model));
  }

  /** Bytes of the module's memory; they do not become fewer. */
  get memory() {
    return this.#module.HEAPU8.byteLength;
  }

  /** Begin a picture whose sides are multiples of `scale`; several may be under way. */
  session(height, width, piece = pieceFor(height, width)) {
    return new Session(this.#module, this.#model, { height, width, piece, channels: this.channels, scale: this.scale });
  }

  close() {
    this.#module._invdn_close(this.#model);
    this.#model = 0;
  }
}

/** Rows that go through at once: all of a small picture, else as many as take about a second. */
export const pieceFor = (height, width) =>
  height * width <= WHOLE ? height : Math.min(height, Math.max(16, 4 * Math.round(PIECE / width / 4)));

/** One picture on its way, from top to bottom, with the latent 0. */
class Session {
  #module;
  #encoder = 0;
  #decoder = 0;
  #size;
  #room;
  #image = { place: 0, rows: 0 };
  #pushed = 0;
  #given = 0; // rows of the small picture
  #done = 0;

  constructor(module, model, size) {
    this.#module = module;
    this.#room = new Room(module);
    const { height, width, piece, channels, scale } = size;
    try {
      this.#encoder = this.#handle(module._invdn_encoder(model, height, width, piece));
      this.#decoder = this.#handle(module._invdn_decoder(model, height, width, piece / scale));
      let low = 0;
      for (let top = 0; top < height; top += piece) {
        const end = Math.min(height, top + piece);
        low = Math.max(low, module._invdn_encoder_finished(this.#encoder, end) - module._invdn_encoder_finished(this.#encoder, top));
      }
      const [part, narrow] = [piece / scale, width / scale];
      const latents = channels * (scale ** 2 - 1) * part * narrow;
      const [noisy, lows, band, latent] = [channels * piece * width, channels * low * narrow, channels * part * narrow, latents].map((count) => this.#room.take(4 * count));
      this.#size = { ...size, part, narrow, noisy, lows, band, latent };
      module.HEAPF32.fill(0, latent / 4, latent / 4 + latents);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #handle(value) {
    if (!value) throw failure(this.#module);
    return value;
  }

  get piece() {
    return this.#size.piece;
  }

  /**
   * The next rows, as planes one after the other; at most `piece` of them.
   *
   * @param {Float32Array} planes
   * @returns {{top: number, count: number, planes: Float32Array}[]} the rows that are finished
   */
  push(planes) {
    const module = this.#module;
    const { width, channels, part, narrow, noisy, lows, band, latent } = this.#size;
    const count = planes.length / (channels * width);
    module.HEAPF32.set(planes, noisy / 4);
    const fresh = module._invdn_encoder_finished(this.#encoder, this.#pushed + count) - module._invdn_encoder_finished(this.#encoder, this.#pushed);
    check(module, module._invdn_encode(this.#encoder, noisy, count, lows));
    this.#pushed += count;
    const finished = [];
    for (let start = 0; start < fresh; start += part) {
      const rows = Math.min(part, fresh - start);
      for (let c = 0; c < channels; c += 1) {
        const from = lows / 4 + (c * fresh + start) * narrow;
        module.HEAPF32.copyWithin(band / 4 + c * rows * narrow, from, from + rows * narrow);
      }
      const out = module._invdn_decoder_finished(this.#decoder, this.#given + rows) - module._invdn_decoder_finished(this.#decoder, this.#given);
      if (out > this.#image.rows) this.#image = { place: this.#room.take(4 * channels * out * width), rows: out };
      check(module, module._invdn_decode(this.#decoder, band, latent, rows, this.#image.place));
      this.#given += rows;
      if (out) {
        const at = this.#image.place / 4;
        finished.push({ top: this.#done, count: out, planes: module.HEAPF32.slice(at, at + channels * out * width) });
      }
      this.#done += out;
    }
    return finished;
  }

  close() {
    if (this.#encoder) this.#module._invdn_encoder_close(this.#encoder);
    if (this.#decoder) this.#module._invdn_decoder_close(this.#decoder);
    this.#room.free();
    this.#encoder = this.#decoder = 0;
  }
}

function words(module, place) {
  const end = module.HEAPU8.indexOf(0, place);
  return new TextDecoder().decode(module.HEAPU8.slice(place, end));
}

function failure(module) {
  const problem = words(module, module._invdn_problem());
  if (problem === "stopped") return new Stopped(problem);
  return problem === "out of memory" ? new OutOfMemory() : new Error(problem);
}

function check(module, status) {
  if (status !== 0) throw failure(module);
}
