// Blotches of colour: found and taken off before the network. The rule of
// src/invdn/image/defects.py, where it is explained; tests/browser holds both to the same results.

import { inverse } from "./colors.js";
import { quantileOfSorted, YCBCR } from "./noise_estimation.js";
import { mirrored, rounded, white, withData } from "./picture.js";

const CELL = 4;
const SCALES = 4;
const TELLING = [1, 2];
const [QUIET, OF_ALL, FINE] = [0.15, 0.6, 0.25];
const [LEAST, MOST] = [1 / 255, 12 / 255];
const [LOW, HIGH, TOGETHER, OVER_LUMA] = [0.05, 0.3, 3, 0.7];
const [NOISE, PICTURE, FALLS] = [[0, 2.5, 2.5, 1.5], [1, 6, 6, 3], 0.6];
const [SMALLEST, OVER_GRAIN, GRAIN] = [192, 0.15, 0.7 / 255];
const TAPS = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * @param {import("./picture.js").Picture} picture
 * @returns {{change: Float32Array[], rows: number, columns: number, level: number} | null} what to add to
 *   Cb and Cr at every place of the map; null: there are none
 */
export function findBlotches(picture) {
  if (picture.channels !== 3 || Math.min(picture.width, picture.height) < SMALLEST) return null;
  const { planes, within, rows, columns } = mapOf(picture);
  const fine = quantileOfSorted(within.sort(), QUIET);
  if (fine < GRAIN ** 2) return null;
  const levels = quietLevels(planes, rows, columns);
  if (!levels) return null;
  const last = levels.at(-1);
  for (const [plane, before] of levels.at(-2).entries()) last[plane] = Math.min(last[plane], FALLS * before);
  const found = levels.slice(1).map((level, i) => level.map((value, plane) => Math.max(value - FINE ** 2 * levels[i][plane], 0)));
  const [luma, ...colour] = [0, 1, 2].map((plane) => TELLING.reduce((sum, index) => sum + found[index - 1][plane], 0));
  const level = mean(colour);
  const least = Math.max(LEAST ** 2, OVER_LUMA ** 2 * luma, OVER_GRAIN ** 2 * fine);
  if (!(level >= least && level <= MOST ** 2)) return null;
  const change = [new Float32Array(rows * columns), new Float32Array(rows * columns)];
  wavelets(planes, rows, columns, (bands, index) => {
    if (!NOISE[index]) return;
    const [ofLuma, ofColour] = energies(bands, rows, columns, index);
    const noiseOfColour = levels[index][1] + levels[index][2];
    const noiseOfLuma = Math.max(levels[index][0], noiseOfColour / 8);
    for (let i = 0; i < ofLuma.length; i += 1) {
      const strongest = Math.max(ofColour[i] / noiseOfColour, ofLuma[i] / noiseOfLuma);
      const noise = Math.min(1, Math.max(0, (PICTURE[index] - strongest) / (PICTURE[index] - NOISE[index])));
      for (const plane of [0, 1]) change[plane][i] -= noise * bands[1 + plane][i];
    }
  });
  return { change, rows, columns, level: Math.sqrt(level) };
}

/** Variances of each scale in its quietest places, of luma and both colours; null: it is no noise. */
function quietLevels(planes, rows, columns) {
  const levels = [];
  let noise = true;
  wavelets(planes, rows, columns, (bands, index) => {
    const colour = energies(bands, rows, columns, index)[1];
    const sorted = colour.slice().sort();
    const [low, high, most] = [LOW, HIGH, QUIET].map((share) => quantileOfSorted(sorted, share));
    if (TELLING.includes(index) && high > TOGETHER * low) noise = false;
    levels.push(bands.map((band) => {
      const local = around(band.map((value) => value * value), rows, columns, 2 << index);
      let [sum, count] = [0, 0];
      for (let i = 0; i < local.length; i += 1) if (colour[i] <= most) [sum, count] = [sum + local[i], count + 1];
      return sum / count / OF_ALL;
    }));
    return noise;
  });
  return noise ? levels : null;
}

/** The local energy of luma, and that of both colours together. */
function energies(bands, rows, columns, index) {
  const [luma, blue, red] = bands.map((band) => around(band.map((value) => value * value), rows, columns, 2 << index));
  for (let i = 0; i < blue.length; i += 1) blue[i] += red[i];
  return [luma, blue];
}

/** The picture with a change of its colours; black and white stay. */
export function takeOff(picture, { change, rows, columns }) {
  const { width, height, data } = picture;
  const top = white(picture);
  const toRgb = inverse(YCBCR).map((row) => row.slice(1));
  const result = new data.constructor(data.length);
  const across = Array.from({ length: width }, (_, x) => {
    const [left, right, part] = place(x, columns);
    return { left, right, part };
  });
  const lines = change.map(() => new Float64Array(columns));
  for (let y = 0, at = 0; y < height; y += 1) {
    const [first, second, share] = place(y, rows);
    for (const [plane, values] of change.entries()) {
      for (let x = 0; x < columns; x += 1) {
        const one = values[first * columns + x];
        lines[plane][x] = one + share * (values[second * columns + x] - one);
      }
    }
    const [blue, red] = lines;
    for (let x = 0; x < width; x += 1, at += 3) {
      let end = true;
      for (let c = 0; c < 3; c += 1) end &&= data[at + c] === 0 || data[at + c] === top;
      const { left, right, part } = across[x];
      const cb = end ? 0 : blue[left] + part * (blue[right] - blue[left]);
      const cr = end ? 0 : red[left] + part * (red[right] - red[left]);
      for (let c = 0; c < 3; c += 1) result[at + c] = rounded(Math.fround(data[at + c] + top * (toRgb[c][0] * cb + toRgb[c][1] * cr)), top);
    }
  }
  return withData(picture, result);
}

/** The places of the map on both sides of a pixel, and the share of the second. */
function place(pixel, places) {
  const at = (pixel - (CELL - 1) / 2) / CELL;
  const first = Math.floor(at);
  const inside = (value) => Math.min(places - 1, Math.max(0, value));
  return [inside(first), inside(first + 1), at - first];
}

/** Means of cells in Y, Cb and Cr, and the variance within them; a border narrower than a cell is left out. */
function mapOf(picture) {
  const { width, height, data } = picture;
  const top = white(picture);
  const [rows, columns] = [Math.floor(height / CELL), Math.floor(width / CELL)];
  const planes = Array.from({ length: 3 }, () => new Float32Array(rows * columns));
  const within = new Float32Array(rows * columns);
  const means = [0, 0, 0];
  for (let row = 0, to = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, to += 1) {
      let variance = 0;
      for (let c = 0; c < 3; c += 1) {
        let [sum, squares] = [0, 0];
        for (let y = 0; y < CELL; y += 1) {
          let at = ((CELL * row + y) * width + CELL * column) * 3 + c;
          for (let x = 0; x < CELL; x += 1, at += 3) {
            sum += data[at];
            squares += data[at] * data[at];
          }
        }
        means[c] = sum / CELL ** 2 / top;
        variance += squares / CELL ** 2 / top ** 2 - means[c] ** 2;
      }
      for (let plane = 0; plane < 3; plane += 1) {
        planes[plane][to] = YCBCR[plane][0] * means[0] + YCBCR[plane][1] * means[1] + YCBCR[plane][2] * means[2];
      }
      within[to] = variance / 3;
    }
  }
  return { planes, within, rows, columns };
}

/** Scale by scale the differences between ever smoother versions of each plane; `false` ends it. */
function wavelets(planes, rows, columns, each) {
  let coarse = planes;
  for (let index = 0; index < SCALES; index += 1) {
    const smoother = coarse.map((plane) => smoothed(plane, rows, columns, 1 << index));
    const bands = coarse.map((plane, i) => plane.map((value, at) => value - smoother[i][at]));
    if (each(bands, index) === false) return;
    coarse = smoother;
  }
}

function smoothed(plane, rows, columns, step) {
  const half = new Float32Array(plane.length);
  const result = new Float32Array(plane.length);
  const offsets = TAPS.map((_, tap) => (tap - 2) * step);
  for (let y = 0; y < rows; y += 1) {
    const from = offsets.map((offset) => mirrored(y + offset, rows) * columns);
    for (let x = 0; x < columns; x += 1) {
      let sum = 0;
      for (let tap = 0; tap < 5; tap += 1) sum += TAPS[tap] * plane[from[tap] + x];
      half[y * columns + x] = sum;
    }
  }
  const places = Array.from({ length: columns }, (_, x) => offsets.map((offset) => mirrored(x + offset, columns)));
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      let sum = 0;
      for (let tap = 0; tap < 5; tap += 1) sum += TAPS[tap] * half[y * columns + places[x][tap]];
      result[y * columns + x] = sum;
    }
  }
  return result;
}

/** Means over the squares around every place, as far as they lie inside. */
function around(plane, rows, columns, radius) {
  const half = new Float32Array(plane.length);
  const result = new Float32Array(plane.length);
  /** Along one line of `size` places, `step` apart. */
  const line = (from, to, start, size, step) => {
    let [sum, first, end] = [0, 0, 0];
    for (let i = 0; i < size; i += 1) {
      for (; end < Math.min(i + radius + 1, size); end += 1) sum += from[start + end * step];
      for (; first < i - radius; first += 1) sum -= from[start + first * step];
      to[start + i * step] = sum / (end - first);
    }
  };
  for (let x = 0; x < columns; x += 1) line(plane, half, x, rows, columns);
  for (let y = 0; y < rows; y += 1) line(half, result, y * columns, columns, 1);
  return result;
}
