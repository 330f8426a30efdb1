// How much of what the network takes away is noise: a share for luma and one for colour, by cells of
// 4x4 pixels. The rule of src/invdn/inference/noise_shares.py, where it is explained; tests/browser
// holds both to the same numbers.

import { BLUE, GREEN, RED } from "./picture.js";
import { interpolated } from "./noise_estimation.js";

export const CELL = 4;
/** Pixels around a pixel that matter. */
export const REACH = 32;
const RADII = [1, 2, 5];
const COLOUR_OF_GREY = 0.8;
const LAGS = [2, 4];
const FLOOR = 0.03;
const WHITE = 255;
const [CB, CR] = [0.5 / (1 - 0.114), 0.5 / (1 - 0.299)];
const STATISTICS = 20;
const NO_COLOUR = 0.0015;
const BEYOND = 0.05; // the sigmoid runs so far beyond 0 and 1
const EVEN = 0.02;
const [STRONG, CERTAIN, TRUST] = [6, 12, 0.75];

/**
 * @typedef {Record<string, Float32Array | number[]>} Layers  the trained numbers by name
 *
 * Logits of the shares, which looks move towards noise or away from it: `sharesOf` makes shares of them.
 *
 * @param {Float32Array} noisy     rows of pixels in [0, 1], from a multiple of `CELL` on
 * @param {Float32Array} denoised  the network's result of the same pixels
 * @param {{width: number, height: number, channels: 1 | 3}} size
 * @param {import("./noise_estimation.js").NoiseEstimate | null} noise  null: too small to tell
 * @param {Layers} layers
 * @returns {Float32Array} two logits of every cell, row by row
 */
export function logitsOfCells(noisy, denoised, size, noise, layers) {
  const rows = Math.ceil(size.height / CELL);
  const columns = Math.ceil(size.width / CELL);
  if (noise === null) return variationShares(noisy, denoised, size, rows, columns).map(logit);
  const statistics = measure(noisy, denoised, size, rows, columns);
  const trust = TRUST * Math.min(1, Math.max(0, (noise.level - STRONG) / (CERTAIN - STRONG)));
  const logits = run(features(statistics, rows, columns, noise), rows * columns, layers, trust);
  // Where the noisy picture does not vary at all, nothing can be taken.
  const varies = new Float32Array(rows * columns);
  for (const first of [0, 5]) {
    const [change, result, both] = statistics.slice(first + 2, first + 5);
    for (let i = 0; i < varies.length; i += 1) varies[i] += change[i] + result[i] + 2 * both[i];
  }
  const around = sumsAround(varies.map((value) => Math.max(value, 0)), rows, columns, RADII[0]);
  for (let i = 0; i < varies.length; i += 1) if (around[i] < EVEN) logits.fill(-Infinity, 2 * i, 2 * i + 2);
  return logits;
}

const logit = (share) => -Math.log((1 + 2 * BEYOND) / (share + BEYOND) - 1);

/**
 * Shares of logits.
 *
 * @param {Float32Array} logits
 * @param {number} [towardsNoise]  added to them; 0 is what was trained
 */
export const sharesOf = (logits, towardsNoise = 0) =>
  logits.map((value) => Math.min(1, Math.max(0, (1 + 2 * BEYOND) / (1 + Math.exp(-value - towardsNoise)) - BEYOND)));

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
  const number = sumsAround(new Float32Array(count).fill(1), rows, columns, RADII[1]);
  const found = sums.map((three) => three.map((plane) => sumsAround(plane, rows, columns, RADII[1])));
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

/** Twenty statistics of every cell; see the Python for what they are. */
function measure(noisy, denoised, { width, height, channels }, rows, columns) {
  const count = rows * columns;
  const out = Array.from({ length: STATISTICS }, () => new Float32Array(count));
  const wide = CELL * (columns + 1);
  const ring = Array.from({ length: 5 }, () => ({ y: -1, change: lines(channels, wide), result: lines(channels, wide) }));
  const before = lines(channels, wide);
  const row = (y) => {
    const place = Math.min(y, height - 1);
    const kept = ring[y % 5];
    if (kept.y !== y) {
      planes(noisy, width, channels, place, wide, before);
      planes(denoised, width, channels, place, wide, kept.result);
      for (let plane = 0; plane < channels; plane += 1) {
        for (let x = 0; x < wide; x += 1) kept.change[plane][x] = before[plane][x] - kept.result[plane][x];
      }
      kept.y = y;
    }
    return kept;
  };
  const meanChange = Array.from({ length: channels }, () => new Float64Array(columns));
  const brightness = new Float64Array(columns);
  const sums = Array.from({ length: STATISTICS }, () => new Float64Array(columns));
  const directions = [new Float64Array(columns), new Float64Array(columns)]; // of luma: along, down
  for (let cell = 0; cell < rows; cell += 1) {
    for (const line of [...sums, ...meanChange, ...directions, brightness]) line.fill(0);
    for (let y = CELL * cell; y < CELL * (cell + 1); y += 1) {
      const here = row(y);
      const below = [row(y + 1), row(y + LAGS[0]), row(y + LAGS[1])];
      for (let plane = 0; plane < channels; plane += 1) {
        const first = plane ? 5 : 0;
        const [change, result] = [here.change[plane], here.result[plane]];
        const [changeBelow, resultBelow] = [below[0].change[plane], below[0].result[plane]];
        const [low2, low4] = [below[1].change[plane], below[2].change[plane]];
        for (let x = 0; x < CELL * columns; x += 1) {
          const to = x >> 2;
          const along = change[x + 1] - change[x];
          const across = changeBelow[x] - change[x];
          const slope = result[x + 1] - result[x];
          const fall = resultBelow[x] - result[x];
          sums[first][to] += change[x] * change[x];
          meanChange[plane][to] += change[x];
          sums[first + 2][to] += along * along + across * across;
          sums[first + 3][to] += slope * slope + fall * fall;
          sums[first + 4][to] += along * slope + across * fall;
          if (plane === 0) {
            directions[0][to] += along * along - across * across;
            directions[1][to] += along * across;
            brightness[to] += result[x];
            sums[14][to] += change[x] * change[x + LAGS[0]];
            sums[15][to] += change[x] * low2[x];
            sums[16][to] += change[x] * change[x + LAGS[1]];
            sums[17][to] += change[x] * low4[x];
          }
        }
      }
      const place = Math.min(y, height - 1);
      for (let x = 0; x < CELL * columns; x += 1) {
        const at = (place * width + Math.min(x, width - 1)) * channels;
        let clipped = 0;
        let least = Infinity;
        let most = -Infinity;
        for (let channel = 0; channel < channels; channel += 1) {
          if (noisy[at + channel] <= 0 || noisy[at + channel] >= 1) clipped = 1;
          least = Math.min(least, denoised[at + channel]);
          most = Math.max(most, denoised[at + channel]);
        }
        sums[18][x >> 2] += clipped;
        sums[19][x >> 2] += WHITE * (most - least);
      }
    }
    const to = cell * columns;
    for (let column = 0; column < columns; column += 1) {
      for (const index of [0, 2, 3, 4, 5, 7, 8, 9, 14, 15, 16, 17, 18, 19]) out[index][to + column] = sums[index][column] / 16;
      for (let plane = 0; plane < channels; plane += 1) {
        out[plane ? 6 : 1][to + column] += (meanChange[plane][column] / 16) ** 2;
      }
      out[10][to + column] = directions[0][column] / 16;
      out[11][to + column] = (2 * directions[1][column]) / 16;
      out[12][to + column] = brightness[column] / 16;
      out[13][to + column] = (brightness[column] / 16) ** 2;
    }
  }
  if (channels === 1) {
    for (let index = 0; index < 5; index += 1) {
      for (let i = 0; i < count; i += 1) out[5 + index][i] = COLOUR_OF_GREY * out[index][i];
    }
  }
  return out;
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

const log = (value) => Math.log(Math.max(value, 0) + FLOOR);

/** What the layers see: 67 planes. */
function features(statistics, rows, columns, noise) {
  const count = rows * columns;
  const around = (plane, radius) => sumsAround(plane, rows, columns, radius);
  const each = (value) => Float32Array.from({ length: count }, (_, i) => value(i));
  const ones = new Float32Array(count).fill(1);
  const found = [];
  let smooth = ones;
  for (const radius of RADII) {
    const number = around(ones, radius);
    const means = statistics.slice(0, 18).map((plane) => {
      const sums = around(plane, radius);
      return sums.map((sum, i) => sum / number[i]);
    });
    const [luma, colour] = [means.slice(0, 5), means.slice(5, 10)];
    for (const plane of [...luma.slice(0, 4), ...colour.slice(0, 4)]) found.push(plane.map(log));
    for (const plane of [luma, colour]) found.push(each((i) => plane[4][i] / Math.sqrt(plane[2][i] * plane[3][i] + 0.01)));
    found.push(each((i) => Math.sqrt(means[10][i] ** 2 + means[11][i] ** 2) / (luma[2][i] + 0.05)));
    if (radius > RADII[0]) {
      for (const place of [14, 16]) {
        const share = (index) => (i) => means[index][i] / (luma[0][i] + 0.02);
        const [along, down] = [share(place), share(place + 1)];
        found.push(each((i) => 0.5 * (along(i) + down(i))), each((i) => Math.abs(along(i) - down(i))));
      }
    }
    if (radius < RADII.at(-1)) {
      // In float32, as in Python: a difference of squares of up to 65025 keeps the rounding.
      const coarse = each((i) => Math.fround(means[13][i] - Math.fround(means[12][i] * means[12][i])));
      found.push(coarse.map(log));
      if (radius === RADII[0]) smooth = each((i) => 1 / (luma[3][i] + colour[3][i] + Math.max(coarse[i], 0) + 1) ** 2);
    }
  }
  for (const index of [0, 5, 3]) found.push(statistics[index].map(log));
  const weight = around(smooth, RADII.at(-1));
  for (const index of [0, 2, 1, 5, 7]) {
    const sums = around(each((i) => smooth[i] * statistics[index][i]), RADII.at(-1));
    found.push(each((i) => log(sums[i] / weight[i])));
  }
  const widest = around(ones, RADII.at(-1));
  found.push(each((i) => log(1 / Math.sqrt(weight[i] / widest[i]))));
  const [brightness, clipped, saturation] = [statistics[12], statistics[18], statistics[19]];
  const shareAround = (radius) => {
    const [sums, number] = [around(clipped, radius), around(ones, radius)];
    return each((i) => sums[i] / number[i]);
  };
  found.push(brightness.map((value) => value / WHITE), shareAround(1), shareAround(5));
  found.push(saturation.map((value) => value / WHITE));
  for (const value of ofPhotograph(noise)) found.push(new Float32Array(count).fill(value));
  const places = noise.brightness.map((value) => WHITE * value);
  for (const spread of [noise.colour, noise.luma]) {
    const spreads = spread.map((value) => WHITE * value);
    found.push(each((i) => log(interpolated(brightness[i], places, spreads) ** 2)));
  }
  found.push(new Float32Array(count).fill(log(noise.level ** 2)));
  found.push(new Float32Array(count).fill(noise.correlation));
  return found;
}

/** Runs the layers: planes of features to two logits of each cell. */
function run(planes, count, layers, trust) {
  const inputs = planes.length;
  const hidden = layers["first.bias"].length;
  const logits = new Float32Array(count * 2);
  const values = new Float64Array(inputs);
  const [first, second] = [new Float64Array(hidden), new Float64Array(hidden)];
  for (let i = 0; i < count; i += 1) {
    for (let k = 0; k < inputs; k += 1) {
      const value = (planes[k][i] - layers.mean[k]) / layers.spread[k];
      values[k] = Math.min(5, Math.max(-5, value));
    }
    layer(values, layers["first.weight"], layers["first.bias"], first);
    layer(first, layers["second.weight"], layers["second.bias"], second);
    for (let to = 0; to < 2; to += 1) {
      let sum = layers["last.bias"][to] + trust;
      for (let k = 0; k < hidden; k += 1) sum += second[k] * layers["last.weight"][2 * k + to];
      logits[2 * i + to] = sum;
    }
  }
  return logits;
}

export function layer(from, weights, biases, to, bends = true) {
  const outputs = to.length;
  to.set(biases);
  for (let k = 0; k < from.length; k += 1) {
    for (let o = 0; o < outputs; o += 1) to[o] += from[k] * weights[k * outputs + o];
  }
  if (bends) for (let o = 0; o < outputs; o += 1) if (to[o] < 0) to[o] = 0;
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
