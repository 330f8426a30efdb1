// How noisy a photograph is, estimated from the photograph alone. The rule of
// src/invdn/image/noise_estimation.py, where it is explained; tests/browser holds both to the same
// numbers.

import { BLUE, floatRows, GREEN, RED } from "./picture.js";

const BLOCK = 8; // pixels on a side of a square
const PIXELS = BLOCK * BLOCK;
const FREE = PIXELS - 3; // degrees of freedom that are left without a plane
const MOST = 32768; // squares looked at
const LEAST = 16; // squares that an estimate needs
const [GROUPS, GROUP] = [8, 64];
const CLIPPED = 0.05;
const FLOOR = (0.6 / 255) ** 2;
const [START, WIDTH] = [0.05, 1.5];
const [RISE, RANGE] = [1.6, 3];
const TINY = 1e-6;
// What training showed seldom, from: src/invdn/inference/files.py.
const [ALMOST_CLEAN, STRONGEST, LEAST_CORRELATION] = [1.2, 45, 0.13];
/** RGB to YCbCr, as in JPEG (ITU-T T.871). */
export const YCBCR = [[RED, GREEN, BLUE], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]];
const BANDS = [[1, 3], [4, 7], [8, 14]]; // orders of frequency: low, middle, high
const WAVES = Array.from({ length: BLOCK }, (_, k) => Array.from({ length: BLOCK }, (_, x) =>
  (Math.cos((Math.PI * (2 * x + 1) * k) / (2 * BLOCK)) / 2) * (k ? 1 : Math.SQRT1_2)));

/**
 * @typedef {object} NoiseEstimate  spreads are standard deviations in units of white
 * @property {number} level        of the colours over the whole photograph, in steps of 8 bits
 * @property {number[]} brightness luma at which the spreads were found, ascending
 * @property {number[]} luma       spread of the luma
 * @property {number[]} colour     spread of the colours
 * @property {number} correlation  of neighbouring pixels
 * @property {number} flat         share of the photograph that was flat enough to tell
 * @property {number[]} spectrum   spread at low, middle and high frequencies, of luma and of colour
 */

/**
 * @param {import("./picture.js").Picture} picture
 * @param {(values: Float32Array) => Float32Array} [look]  how the network sees rows of pixels
 * @returns {NoiseEstimate | null}  null where the photograph is too small
 */
export function estimateNoise(picture, look) {
  const squares = measured(picture, look);
  return squares.count < LEAST ? null : summary(squares);
}

/** What should be known before a result is trusted, as src/invdn/inference/files.py has it; null: nothing. */
export function warningOf(noise) {
  if (!noise) return null;
  const { level, correlation } = noise;
  if (level < ALMOST_CLEAN) return `it is almost clean (noise ${level.toFixed(1)} of 255): a fixed strength takes fine texture rather than noise; strength auto keeps it`;
  if (correlation < LEAST_CORRELATION) {
    return `its noise is unlike that of a camera: neighbouring pixels are independent (correlation ${correlation.toFixed(2)}), as in synthetic noise or a picture made smaller; the model has seen little of it`;
  }
  return level > STRONGEST ? `its noise (${level.toFixed(0)} of 255) is stronger than the model was trained on; expect remains of it` : null;
}

/** A word for the strength of noise, as src/invdn/inference/blending.py has it. */
export const wordFor = (level) => (level >= 20 ? "extreme" : level >= 8 ? "strong" : level >= 3 ? "moderate" : "light");

/** Brightness, variances and products of neighbours of squares spread evenly over the photograph. */
function measured(picture, look) {
  const { width, height, channels } = picture;
  const [down, along] = [Math.floor(height / BLOCK), Math.floor(width / BLOCK)];
  const step = Math.max(1, Math.ceil(along / MOST));
  const across = Math.ceil(along / step);
  const every = Math.max(1, Math.ceil((down * Math.floor(along / step)) / MOST));
  const rows = down && along ? Math.ceil((down - (every >> 1)) / every) : 0;
  const most = rows * across;
  const made = () => new Float32Array(most);
  const squares = {
    channels, count: 0, brightness: made(), luma: made(), lumaProducts: made(), clipped: made(),
    colours: new Float32Array(most * channels), products: new Float32Array(most * channels),
    rest: new Float32Array(most * channels * PIXELS),
  };
  const plane = new Float32Array(PIXELS);
  const found = { mean: 0, variance: 0, product: 0 };
  for (let row = every >> 1; along && row < down; row += every) {
    let values = floatRows(picture, row * BLOCK, BLOCK);
    if (look) values = look(values);
    for (let column = 0; column < along; column += step) {
      const at = squares.count;
      squares.count += 1;
      let outside = 0;
      for (let channel = 0; channel < channels; channel += 1) {
        for (let y = 0, i = 0; y < BLOCK; y += 1) {
          let from = (y * width + column * BLOCK) * channels + channel;
          for (let x = 0; x < BLOCK; x += 1, i += 1, from += channels) {
            plane[i] = values[from];
            if (plane[i] <= 0 || plane[i] >= 1) outside += 1;
          }
        }
        measure(plane, found);
        squares.colours[at * channels + channel] = found.variance;
        squares.products[at * channels + channel] = found.product;
        squares.rest.set(plane, (at * channels + channel) * PIXELS);
      }
      if (channels === 3) {
        for (let y = 0, i = 0; y < BLOCK; y += 1) {
          let from = (y * width + column * BLOCK) * 3;
          for (let x = 0; x < BLOCK; x += 1, i += 1, from += 3) {
            plane[i] = RED * values[from] + GREEN * values[from + 1] + BLUE * values[from + 2];
          }
        }
        measure(plane, found);
      }
      squares.brightness[at] = found.mean;
      squares.luma[at] = found.variance;
      squares.lumaProducts[at] = found.product;
      squares.clipped[at] = outside / (PIXELS * channels);
    }
  }
  return squares;
}

/** Takes a plane off a square; mean, variance and the mean product of neighbours of what is left. */
function measure(square, found) {
  const norm = BLOCK * 42; // 8 times the sum of the squares of the ramp
  let [sum, along, down] = [0, 0, 0];
  for (let y = 0, i = 0; y < BLOCK; y += 1) {
    for (let x = 0; x < BLOCK; x += 1, i += 1) {
      sum += square[i];
      along += square[i] * (x - 3.5);
      down += square[i] * (y - 3.5);
    }
  }
  const mean = sum / PIXELS;
  let variance = 0;
  for (let y = 0, i = 0; y < BLOCK; y += 1) {
    for (let x = 0; x < BLOCK; x += 1, i += 1) {
      square[i] -= mean + (along / norm) * (x - 3.5) + (down / norm) * (y - 3.5);
      variance += square[i] * square[i];
    }
  }
  let product = 0;
  for (let y = 0, i = 0; y < BLOCK; y += 1) {
    for (let x = 0; x < BLOCK; x += 1, i += 1) {
      if (x) product += square[i] * square[i - 1];
      if (y) product += square[i] * square[i - BLOCK];
    }
  }
  found.mean = mean;
  found.variance = variance / FREE;
  found.product = product / (2 * BLOCK * (BLOCK - 1));
}

function summary(squares) {
  const { channels } = squares;
  const ordered = usable(squares).sort((a, b) => squares.brightness[a] - squares.brightness[b] || a - b);
  const groups = split(ordered, Math.max(1, Math.min(GROUPS, Math.floor(ordered.length / GROUP))));
  const flat = groups.map((group) => lowerMode(group, squares.luma));
  const brightness = groups.map((group) => meanOf(group, (i) => squares.brightness[i]));
  const colourOf = (values) => (i) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += values[i * channels + channel];
    return sum / channels;
  };
  const [colours, products] = [colourOf(squares.colours), colourOf(squares.products)];
  let luma = flat.map((group) => variance(meanOf(group, (i) => squares.luma[i]), meanOf(group, (i) => squares.lumaProducts[i])));
  let colour = flat.map((group) => variance(meanOf(group, colours), meanOf(group, products)));
  const textured = texture(luma);
  luma = luma.map((value, group) => value / textured[group]);
  colour = colour.map((value, group) => value / textured[group]);
  let everywhere = 0;
  for (let i = 0; i < squares.count; i += 1) everywhere += interpolated(squares.brightness[i], brightness, colour);
  const together = flat.flat();
  let correlation = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const product = meanOf(together, (i) => squares.products[i * channels + channel]);
    const spread = meanOf(together, (i) => squares.colours[i * channels + channel]);
    correlation += product / Math.max(spread, 1e-12) / channels;
  }
  return {
    level: 255 * Math.sqrt(everywhere / squares.count),
    brightness,
    luma: luma.map(Math.sqrt),
    colour: colour.map(Math.sqrt),
    correlation,
    flat: together.length / squares.count,
    spectrum: spectrum(squares, together, brightness, colour.map(Math.sqrt)),
  };
}

/** The spread of flat squares by plane and frequency, in units of that of the colours there. */
function spectrum(squares, flat, brightness, spreads) {
  const { channels, rest } = squares;
  const power = Array.from({ length: channels }, () => new Float64Array(PIXELS));
  const [square, half] = [new Float64Array(PIXELS), new Float64Array(PIXELS)];
  for (const i of flat) {
    const spread = Math.max(interpolated(squares.brightness[i], brightness, spreads), TINY);
    const at = i * channels * PIXELS;
    for (let plane = 0; plane < channels; plane += 1) {
      for (let k = 0; k < PIXELS; k += 1) {
        let value = 0;
        if (channels === 1) value = rest[at + k];
        else for (let c = 0; c < 3; c += 1) value += YCBCR[plane][c] * rest[at + c * PIXELS + k];
        square[k] = value / spread;
      }
      transformed(square, half);
      transformed(half, square);
      for (let k = 0; k < PIXELS; k += 1) power[plane][k] += (square[k] * square[k]) / flat.length;
    }
  }
  for (const plane of power) {
    // What the plane took away is like the slowest that it left.
    const slow = Math.max(plane[BLOCK + 1], (plane[2] + plane[2 * BLOCK]) / 2);
    for (const k of [0, 1, BLOCK]) plane[k] = Math.max(plane[k], slow);
  }
  return [power.slice(0, 1), power.slice(1)].filter((planes) => planes.length).flatMap((planes) => BANDS.map(([low, high]) => {
    let [sum, count] = [0, 0];
    for (const plane of planes) {
      for (let k = 0; k < PIXELS; k += 1) {
        const order = (k >> 3) + (k & 7);
        if (order >= low && order <= high) [sum, count] = [sum + plane[k], count + 1];
      }
    }
    return Math.sqrt(sum / count);
  }));
}

/** The cosine transform along the rows of a square, turned: two of them are that of the square. */
function transformed(from, to) {
  for (let y = 0; y < BLOCK; y += 1) {
    for (let k = 0; k < BLOCK; k += 1) {
      let sum = 0;
      for (let x = 0; x < BLOCK; x += 1) sum += WAVES[k][x] * from[y * BLOCK + x];
      to[k * BLOCK + y] = sum;
    }
  }
}

/** Squares that are not clipped and vary at all, as far as there are any. */
function usable(squares) {
  let chosen = Array.from({ length: squares.count }, (_, i) => i);
  for (const fit of [(i) => squares.clipped[i] < CLIPPED, (i) => squares.luma[i] > FLOOR]) {
    const kept = chosen.filter(fit);
    if (kept.length >= Math.max(LEAST, Math.floor(chosen.length / 10))) chosen = kept;
  }
  return chosen;
}

/** Parts of nearly equal length; the first ones have one more (numpy's `array_split`). */
function split(list, count) {
  const [each, more] = [Math.floor(list.length / count), list.length % count];
  const parts = [];
  for (let part = 0, start = 0; part < count; part += 1) {
    const end = start + each + (part < more ? 1 : 0);
    parts.push(list.slice(start, end));
    start = end;
  }
  return parts;
}

/** Which of a group belong to the lowest crowd: where cutting above it changes it no more. */
function lowerMode(group, values) {
  let centre = quantile(group.map((i) => values[i]), START);
  for (let round = 0; round < 20; round += 1) {
    const last = centre;
    centre = meanOf(group.filter((i) => values[i] <= WIDTH * last), (i) => values[i]);
    if (Math.abs(centre - last) <= 1e-3 * centre) break;
  }
  return group.filter((i) => values[i] <= WIDTH * centre);
}

/** The mean variance, with what the plane took away given back. */
function variance(mean, product) {
  const correlation = Math.min(Math.max(product / Math.max(mean, 1e-12), 0), 0.6);
  return (mean * FREE) / (PIXELS - 3 * (1 + 2 * correlation) ** 2);
}

/** By what factor, 1 or more, the variances from dark to light exceed what noise can do. */
function texture(variances) {
  const quietest = quantile(variances, 0.1);
  let darker = Infinity;
  return variances.map((value) => {
    const limit = Math.min(RISE ** 2 * darker, RANGE ** 2 * quietest);
    darker = Math.min(darker, value);
    return Math.max(1, value / Math.max(limit, 1e-12));
  });
}

function meanOf(list, value) {
  let sum = 0;
  for (const i of list) sum += value(i);
  return sum / list.length;
}

/** Between the two nearest values, as numpy has it unasked. */
const quantile = (values, share) => quantileOfSorted(Float64Array.from(values).sort(), share);

export function quantileOfSorted(sorted, share) {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/** On the lines between points with ascending places; the end values outside. */
export function interpolated(x, places, values) {
  if (x <= places[0]) return values[0];
  const last = places.length - 1;
  if (x >= places[last]) return values[last];
  let right = 1;
  while (places[right] < x) right += 1;
  const share = (x - places[right - 1]) / (places[right] - places[right - 1]);
  return values[right - 1] + share * (values[right] - values[right - 1]);
}
