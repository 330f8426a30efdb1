// How far a result is probably from the clean photograph, estimated from the photograph and the result, by
// blocks of 8x8 pixels. The rule of src/invdn/inference/error_map.py, where it is explained;
// tests/browser holds both to the same numbers.

import { interpolated, YCBCR } from "./noise_estimation.js";
import { sumsAround } from "./noise_shares.js";

export const BLOCK = 8;
const RADII = [0, 1, 3];
/** Rows around a row of pixels that matter: whole blocks, and one for the differences. */
export const AROUND = BLOCK * Math.max(...RADII);
const WHITE = 255;
const FLOOR = 0.03;
const LEAST = 0.3;
const STATISTICS = 14;
const ENERGIES = 10;
const UNKNOWN = { level: 3, brightness: [0.5], luma: [3 / 255], colour: [3 / 255], correlation: 0.3 };

/**
 * @param {Float32Array} noisy   rows of pixels as the network sees them, from a multiple of `BLOCK` on
 * @param {Float32Array} result  the denoised pixels
 * @param {{width: number, height: number, channels: 1 | 3}} size
 * @param {import("./noise_estimation.js").NoiseEstimate | null} noise
 * @param {Record<string, number[]>} layers  the trained numbers by name
 * @returns {Float32Array} the standard deviation of the error of every block, 1 is white
 */
export function errorOfBlocks(noisy, result, size, noise, layers) {
  const [rows, columns] = [Math.ceil(size.height / BLOCK), Math.ceil(size.width / BLOCK)];
  const planes = features(measure(noisy, result, size, rows, columns), rows, columns, noise ?? UNKNOWN);
  const values = new Float64Array(planes.length);
  const [first, second, last] = ["first", "second", "last"].map((name) => new Float64Array(layers[`${name}.bias`].length));
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    for (let k = 0; k < values.length; k += 1) {
      values[k] = Math.min(5, Math.max(-5, (planes[k][i] - layers.mean[k]) / layers.spread[k]));
    }
    layer(values, layers["first.weight"], layers["first.bias"], first);
    layer(first, layers["second.weight"], layers["second.bias"], second);
    layer(second, layers["last.weight"], layers["last.bias"], last, false);
    return Math.max(Math.exp(last[0] / 2), LEAST / 255);
  });
}

function layer(from, weights, biases, to, bends = true) {
  const outputs = to.length;
  to.set(biases);
  for (let k = 0; k < from.length; k += 1) {
    for (let o = 0; o < outputs; o += 1) to[o] += from[k] * weights[k * outputs + o];
  }
  if (bends) for (let o = 0; o < outputs; o += 1) if (to[o] < 0) to[o] = 0;
}

/** What the layers see: 43 planes. */
function features(statistics, rows, columns, noise) {
  const count = rows * columns;
  const log = (value) => Math.log(Math.max(value, 0) + FLOOR);
  const each = (value) => Float32Array.from({ length: count }, (_, i) => value(i));
  const ones = new Float32Array(count).fill(1);
  const found = [];
  for (const radius of RADII) {
    const number = sumsAround(ones, rows, columns, radius);
    const mean = statistics.map((plane) => sumsAround(plane, rows, columns, radius).map((sum, i) => sum / number[i]));
    for (const plane of mean.slice(0, ENERGIES)) found.push(plane.map(log));
    for (const [change, structure, product] of [[1, 2, 10], [6, 7, 11]]) {
      found.push(each((i) => mean[product][i] / (Math.sqrt(Math.max(mean[change][i] * mean[structure][i], 0)) + 0.1)));
    }
  }
  const brightness = statistics[12].map((value) => value / WHITE);
  found.push(brightness, brightness.map((value) => value * value), statistics[13]);
  for (const spread of [noise.luma, noise.colour]) {
    found.push(each((i) => log((WHITE * interpolated(brightness[i], noise.brightness, spread)) ** 2)));
  }
  found.push(new Float32Array(count).fill(log(noise.level ** 2)), new Float32Array(count).fill(noise.correlation));
  return found;
}

/** Fourteen statistics of every block, in steps of 8 bits; see the Python for what they are. */
function measure(noisy, result, { width, height, channels }, rows, columns) {
  const out = Array.from({ length: STATISTICS }, () => new Float32Array(rows * columns));
  const wide = BLOCK * columns + 1;
  const pixels = BLOCK ** 2;
  const lines = () => Array.from({ length: channels }, () => new Float64Array(wide));
  const row = (y) => {
    const [change, still] = [lines(), lines()];
    const place = Math.min(y, height - 1) * width;
    for (let x = 0; x < wide; x += 1) {
      const at = (place + Math.min(x, width - 1)) * channels;
      for (let plane = 0; plane < channels; plane += 1) {
        let [before, after] = [noisy[at], result[at]];
        if (channels === 3) {
          const [r, g, b] = YCBCR[plane];
          before = r * noisy[at] + g * noisy[at + 1] + b * noisy[at + 2];
          after = r * result[at] + g * result[at + 1] + b * result[at + 2];
        }
        change[plane][x] = WHITE * (before - after);
        still[plane][x] = WHITE * after;
      }
    }
    return { change, still };
  };
  let here = row(0);
  const sums = Array.from({ length: channels }, () => new Float64Array(columns)); // of the result
  const squares = sums.map((plane) => plane.slice());
  const quarters = sums.map(() => new Float64Array(4 * columns));
  for (let y = 0; y < BLOCK * rows; y += 1) {
    const below = row(y + 1);
    const first = (y >> 3) * columns;
    if (y % BLOCK === 0) for (const plane of [...sums, ...squares, ...quarters]) plane.fill(0);
    for (let plane = 0; plane < channels; plane += 1) {
      const [begin, product] = plane ? [5, 11] : [0, 10];
      const [change, still] = [here.change[plane], here.still[plane]];
      for (let x = 0; x < BLOCK * columns; x += 1) {
        const [block, to] = [x >> 3, first + (x >> 3)];
        const [along, down] = [change[x + 1] - change[x], below.change[plane][x] - change[x]];
        const [slope, fall] = [still[x + 1] - still[x], below.still[plane][x] - still[x]];
        out[begin][to] += (change[x] * change[x]) / pixels;
        out[begin + 1][to] += (along * along + down * down) / pixels;
        out[begin + 2][to] += (slope * slope + fall * fall) / pixels;
        out[product][to] += (along * slope + down * fall) / pixels;
        quarters[plane][4 * block + ((y >> 1) & 2) + ((x >> 2) & 1)] += change[x] / 16;
        sums[plane][block] += still[x] / pixels;
        squares[plane][block] += (still[x] * still[x]) / pixels;
      }
      if (y % BLOCK === BLOCK - 1) {
        for (let block = 0; block < columns; block += 1) {
          for (let k = 0; k < 4; k += 1) out[begin + 3][first + block] += quarters[plane][4 * block + k] ** 2 / 4;
          out[begin + 4][first + block] += Math.max(squares[plane][block] - sums[plane][block] ** 2, 0);
          if (plane === 0) out[12][first + block] = sums[0][block];
        }
      }
    }
    const place = Math.min(y, height - 1) * width;
    for (let x = 0; x < BLOCK * columns; x += 1) {
      const at = (place + Math.min(x, width - 1)) * channels;
      for (let c = 0; c < channels; c += 1) {
        if (noisy[at + c] <= 0 || noisy[at + c] >= 1) {
          out[13][first + (x >> 3)] += 1 / pixels;
          break;
        }
      }
    }
    here = below;
  }
  if (channels === 1) {
    for (let i = 0; i < rows * columns; i += 1) {
      for (let k = 0; k < 5; k += 1) out[5 + k][i] = out[k][i] / 2;
      out[11][i] = out[10][i] / 2;
    }
  }
  return out;
}

/** The error at a pixel, on straight lines between the centres of blocks. */
export function errorAt(blocks, rows, columns, x, y) {
  const near = (place, count) => {
    const at = (place + 0.5) / BLOCK - 0.5;
    const low = Math.min(count - 1, Math.max(0, Math.floor(at)));
    return [low, Math.min(low + 1, count - 1), Math.min(1, Math.max(0, at - low))];
  };
  const [[top, bottom, down], [left, right, along]] = [near(y, rows), near(x, columns)];
  const between = (row) => blocks[row * columns + left] * (1 - along) + blocks[row * columns + right] * along;
  return between(top) * (1 - down) + between(bottom) * down;
}
