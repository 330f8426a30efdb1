// Shares of noise and dithering in WebAssembly: src/native/pixels.cpp, which Python runs as well.

import { Room } from "../memory.js";

/** Rows around that dithering looks at. */
export const AROUND = 2;
const ORDER = ["mean", "spread", ...["first", "second", "last"].flatMap((layer) => [`${layer}.weight`, `${layer}.bias`])];

export class PixelWork {
  #module;
  #layers;

  /**
   * @param {object} module                     the module of web_pixels.cpp
   * @param {Record<string, number[]>} layers  the trained numbers of the shares by name
   */
  constructor(module, layers) {
    this.#module = module;
    this.#layers = Float32Array.from(ORDER.flatMap((name) => layers[name]));
  }

  /**
   * Logits of the shares of noise, two of every cell of a window that starts at a whole cell.
   *
   * @param {Float32Array} noisy     pixels as the network saw them
   * @param {Float32Array} denoised  what it made of them
   * @param {{width: number, height: number, channels: 1 | 3}} size
   * @param {number[]} known         of the photograph, as src/native/pixels.hpp has them
   * @param {number[][]} spreads     brightness, spread of colour and of luma, in steps of 8 bits
   * @param {number} count           of the logits
   * @returns {Float64Array}
   */
  logits(noisy, denoised, { width, height, channels }, known, spreads, count) {
    return this.#within((room) => {
      const [before, after, numbers, layers] = [noisy, denoised, Float32Array.from(known), this.#layers].map((values) => room.keep(values));
      const lines = room.keep(Float64Array.from(spreads.flat()));
      const to = room.take(8 * count);
      room.check(this.#module._invdn_noise_logits(before, after, height, width, channels, numbers, lines, spreads[0].length, layers, to));
      return this.#module.HEAPF64.slice(to / 8, to / 8 + count);
    });
  }

  /** Shares of logits, moved towards noise. */
  shares(logits, towardsNoise) {
    return this.#within((room) => {
      const [from, to] = [room.keep(logits), room.take(4 * logits.length)];
      this.#module._invdn_bend(from, logits.length, towardsNoise, to);
      return this.#module.HEAPF32.slice(to / 4, to / 4 + logits.length);
    });
  }

  /**
   * Rows of a result of 8 bits, rounded to whole levels where they are smooth.
   *
   * @param {Float32Array} clean    rows of the result, in the photograph's colours
   * @param {Float32Array} blended  the same in the network's; may be `clean`
   * @param {Float32Array} noisy    rows as the network saw them
   * @param {Float32Array} means    the network's result, with up to `AROUND` rows before and after
   * @param {{width: number, channels: number, top: number, count: number, before: number}} place  top: the
   *   first row in the photograph; before: rows of `means` before it
   * @returns {Float32Array}
   */
  dithered(clean, blended, noisy, means, { width, channels, top, count, before }) {
    return this.#within((room) => {
      const [result, seen, around] = [clean, noisy, means].map((values) => room.keep(values));
      const mixed = blended === clean ? result : room.keep(blended);
      room.check(this.#module._invdn_dither(result, mixed, seen, count, top, around, means.length / (width * channels), before, width, channels));
      return this.#module.HEAPF32.slice(result / 4, result / 4 + clean.length);
    });
  }

  #within(work) {
    const room = new Room(this.#module);
    try {
      return work(room);
    } finally {
      room.free();
    }
  }
}
