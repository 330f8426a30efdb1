// How much of what the network takes away is noise: a share for luma and one for colour, by cells of
// 4x4 pixels; src/invdn/inference/noise_shares.py says how. The work is src/native/pixels.cpp in Python
// and here; photographs that are too small to tell have a rule of their own, which is written twice.

import { BLUE, GREEN, RED } from "./picture.js";

export const CELL = 4;
/** Pixels around a pixel that matter. */
export const REACH = 32;
const RADIUS = 2; // cells around that tell how much a small photograph varies
const COLOUR_OF_GREY = 0.8;
const FLOOR = 0.03;
const WHITE = 255;
const [CB, CR] = [0.5 / (1 - 0.114), 0.5 / (1 - 0.299)];
const NO_COLOUR = 0.0015;
const BEYOND = 0.05; // the sigmoid runs so far beyond 0 and 1
const [STRONG, CERTAIN, TRUST] = [6, 12, 0.75];

/**
 * Logits of the shares, which looks move towards noise or away from it; `PixelWork.shares` makes shares of
 * them.
 *
 * @param {import("./pixel_work.js").PixelWork} work
 * @param {Float32Array} noisy     rows of pixels in [0, 1], from a multiple of `CELL` on
 * @param {Float32Array} denoised  the network's result of the same pixels
 * @param {{width: number, height: number, channels: 1 | 3}} size
 * @param {import("./noise_estimation.js").NoiseEstimate | null} noise  null: too small to tell
 * @returns {Float64Array} two logits of every cell, row by row
 */
export function logitsOfCells(work, noisy, denoised, size, noise) {
  const rows = Math.ceil(size.height / CELL);
  const columns = Math.ceil(size.width / CELL);
  if (noise === null) return Float64Array.from(variationShares(noisy, denoised, size, rows, columns), logit);
  const known = [...ofPhotograph(noise), Math.log(noise.level ** 2 + FLOOR), noise.correlation];
  const spreads = [noise.brightness, noise.colour, noise.luma].map((values) => values.map((value) => WHITE * value));
  return work.logits(noisy, denoised, size, known, spreads, 2 * rows * columns);
}

/** What is added to the logits of a photograph whose noise is so strong that texture hides in it. */
export const trustIn = (noise) => TRUST * Math.min(1, Math.max(0, (noise.level - STRONG) / (CERTAIN - STRONG)));

const logit = (share) => -Math.log((1 + 2 * BEYOND) / (share + BEYOND) - 1);

/** No more energy than the pixels around vary: two shares of every cell. */
function variationShares(noisy, denoised, { width, height, channels }, rows, columns) {
  const wide = CELL * columns;
  const count = rows * columns;
  const sums = Array.from({ length: channels }, () => Array.from({ length: 3 }, () => new Float32Array(count)));
  const [before, after] = [lines(channels, wide), lines(channels, wide)];
  for (let y = 0; y < CELL * rows; y += 1) {
    planes(noisy, width, channels, Math.min(y, height - 1), wide, before);
    planes(denoised, width, channels, Math.min(y, height - 1), wide, after);
    for (let plane = 0; plane < channels; plane += 1) {
      for (let x = 0; x < wide; x += 1) {
        const to = (y >> 2) * columns + (x >> 2);
        const [seen, change] = [before[plane][x], before[plane][x] - after[plane][x]];
        sums[plane][0][to] += seen / 16;
        sums[plane][1][to] += (seen * seen) / 16;
        sums[plane][2][to] += (change * change) / 16;
      }
    }
  }
  const number = sumsAround(new Float32Array(count).fill(1), rows, columns, RADIUS);
  const found = sums.map((three) => three.map((plane) => sumsAround(plane, rows, columns, RADIUS)));
  const shares = new Float32Array(2 * count);
  const parts = channels === 1 ? [found, found] : [found.slice(0, 1), found.slice(1)];
  for (const [index, part] of parts.entries()) {
    for (let i = 0; i < count; i += 1) {
      let [varies, taken] = [0, 0];
      for (const [mean, square, change] of part) {
        varies += square[i] / number[i] - (mean[i] / number[i]) ** 2;
        taken += change[i] / number[i];
      }
      shares[2 * i + index] = Math.min(1, Math.max(0, (varies - FLOOR) / (taken + FLOOR)));
    }
  }
  return shares;
}

/** Six energies of the photograph's quietest squares, and their share. */
function ofPhotograph(noise) {
  const scale = 255 * (noise.colour.reduce((sum, value) => sum + value, 0) / noise.colour.length);
  const energies = noise.spectrum.map((value) => (scale * value) ** 2);
  const luma = energies.slice(0, 3);
  let colour = energies.slice(3);
  if (!colour.length || Math.max(...colour) < NO_COLOUR) colour = luma.map((value) => COLOUR_OF_GREY ** 2 * value);
  return [...[...luma, ...colour].map((value) => Math.log(value + FLOOR)), noise.flat];
}

/** Luma and two differences of colour of the rows, in steps of 8 bits, with edges repeated to the right. */
function planes(values, width, channels, y, wide, out) {
  for (let x = 0; x < wide; x += 1) {
    const at = (y * width + Math.min(x, width - 1)) * channels;
    if (channels === 1) {
      out[0][x] = WHITE * values[at];
      continue;
    }
    const [red, green, blue] = [WHITE * values[at], WHITE * values[at + 1], WHITE * values[at + 2]];
    const luma = RED * red + GREEN * green + BLUE * blue;
    out[0][x] = luma;
    out[1][x] = (blue - luma) * CB;
    out[2][x] = (red - luma) * CR;
  }
}

const lines = (channels, wide) => Array.from({ length: channels }, () => new Float32Array(wide));

/** Sums over the square of cells around every cell, as far as it lies in the window. */
export function sumsAround(plane, rows, columns, radius) {
  const across = new Float32Array(plane.length);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      let sum = 0;
      const [start, end] = [Math.max(0, x - radius), Math.min(columns - 1, x + radius)];
      for (let i = start; i <= end; i += 1) sum += plane[y * columns + i];
      across[y * columns + x] = sum;
    }
  }
  const result = new Float32Array(plane.length);
  for (let y = 0; y < rows; y += 1) {
    const [start, end] = [Math.max(0, y - radius), Math.min(rows - 1, y + radius)];
    for (let i = start; i <= end; i += 1) {
      for (let x = 0; x < columns; x += 1) result[y * columns + x] += across[i * columns + x];
    }
  }
  return result;
}

/**
 * Shares of one row of pixels, on straight lines between the centres of cells.
 *
 * @param {Float32Array} cells    two shares of every cell of the picture
 * @param {number} columns        cells in a row
 * @param {Float32Array} out      two shares of each of the `width` pixels
 * @param {number} [left]         the first of them
 */
export function sharesOfRow(cells, rows, columns, y, width, out, left = 0) {
  const [cellY, otherY, farY] = neighbour(y, rows);
  for (let x = 0; x < width; x += 1) {
    const [cellX, otherX, farX] = neighbour(left + x, columns);
    for (let k = 0; k < 2; k += 1) {
      const at = (row, column) => cells[(row * columns + column) * 2 + k];
      const near = at(cellY, cellX) * (1 - farY) + at(otherY, cellX) * farY;
      const far = at(cellY, otherX) * (1 - farY) + at(otherY, otherX) * farY;
      out[2 * x + k] = near * (1 - farX) + far * farX;
    }
  }
}

/** The cell of a pixel, the next one on its side, and how far it lies towards that. */
function neighbour(place, count) {
  const cell = place >> 2;
  const offset = ((place & 3) - 1.5) / CELL;
  const other = Math.min(count - 1, Math.max(0, cell + (offset > 0 ? 1 : -1)));
  return [cell, other, Math.abs(offset)];
}
