// Hot and dead pixels, banding and blotches of colour: found and mended before the network. The rule of
// src/invdn/image/defects.py, where it is explained; tests/browser holds both to the same results.

import { findBlotches, takeOff } from "./blotches.js";
import { BLUE, GREEN, mirrored, RED, rounded, white, withData } from "./picture.js";

const [OUT, DEVIATIONS, SHARED, RANGE, MOST] = [0.1, 8, 0.2, 0.5, 1e-3];
const [BRIGHT, SPREAD, ELSEWHERE] = [0.5, 0.5, 0.04];
const [LINES, BLOCKS, SIGNIFICANT, LEAST, REPEATS, EDGE] = [4, 8, 2.5, 0.5 / 255, 0.5, 4];
const SOME = 4; // every so many lines tell how strong the noise is
const AGREEMENT = 0.5;
const SQUARE = Array.from({ length: 25 }, (_, at) => [Math.trunc(at / 5) - 2, (at % 5) - 2]);
const WITHIN = SQUARE.filter((offsets) => Math.max(...offsets.map(Math.abs)) < 2); // the middle and its neighbours
/** Offsets, down and along, of the 16 pixels two away. */
export const RING = SQUARE.filter((offsets) => Math.max(...offsets.map(Math.abs)) === 2);
const GROUP = 256; // lines that are looked at together

/**
 * @param {import("./picture.js").Picture} picture
 * @returns {{picture: import("./picture.js").Picture, found: string[]}} the same picture where nothing is found
 */
export function mend(picture) {
  const found = [];
  if (Math.min(picture.width, picture.height) < 5) return { picture, found };
  const hot = hotPixels(picture);
  if (hot.length) {
    const data = picture.data.slice();
    for (const { at, value } of hot) data[at] = value;
    picture = withData(picture, data);
    const number = new Set(hot.map(({ at }) => Math.floor(at / picture.channels))).size;
    found.push(number === 1 ? "1 hot or dead pixel was mended" : `${number} hot or dead pixels were mended`);
  }
  for (const [axis, name] of ["rows", "columns"].entries()) {
    const offsets = bands(picture, axis);
    if (!offsets) continue;
    picture = without(picture, offsets, axis);
    const size = 255 * Math.sqrt(offsets.reduce((sum, value) => sum + value * value, 0) / offsets.length);
    found.push(`banding of ${name} was taken off (${size.toFixed(1)} of 255)`);
  }
  const blotches = findBlotches(picture);
  if (blotches) {
    picture = takeOff(picture, blotches);
    found.push(`blotches of colour were taken off (${(255 * blotches.level).toFixed(1)} of 255)`);
  }
  return { picture, found };
}

/** Samples that do not belong to their surroundings: `{at, value}` with what to put there. */
function hotPixels(picture) {
  const { width, height, channels, data } = picture;
  const top = white(picture);
  const least = OUT * top;
  const stride = width * channels;
  const places = []; // indices of samples
  const many = 20 * MOST * data.length;
  for (let y = 0; y < height; y += 1) {
    const [above, below] = [mirrored(y - 1, height) * stride, mirrored(y + 1, height) * stride];
    const row = y * stride;
    for (let x = 0, here = 0; x < width; x += 1) {
      const left = x > 0 ? -channels : channels;
      const right = x < width - 1 ? channels : -channels;
      for (let c = 0; c < channels; c += 1, here += 1) {
        const value = data[row + here];
        const beside = value - data[row + here + left];
        // How far it stands out: upwards, or down where that is the way from its left neighbour.
        const sign = beside > least ? 1 : beside < -least ? -1 : 0;
        if (sign === 0) continue;
        const bound = sign * value - least;
        if (
          sign * data[above + here] < bound && sign * data[below + here] < bound && sign * data[row + here + right] < bound &&
          sign * data[above + here + left] < bound && sign * data[above + here + right] < bound &&
          sign * data[below + here + left] < bound && sign * data[below + here + right] < bound
        ) places.push(row + here);
      }
    }
    if (places.length > many) return [];
  }
  const hot = [];
  let count = 0;
  for (const found of places) {
    const [y, x, c] = [Math.floor(found / stride), Math.floor((found % stride) / channels), found % channels];
    const place = (dy, dx, channel) => mirrored(y + dy, height) * stride + mirrored(x + dx, width) * channels + channel;
    const sample = (dy, dx, channel = c) => Math.fround(data[place(dy, dx, channel)] / top);
    const ringOf = (channel) => RING.map(([dy, dx]) => sample(dy, dx, channel));
    const ring = ringOf(c);
    const middle = median(ring);
    const spread = median(ring.map((value) => Math.abs(value - middle)));
    const above = sample(0, 0) - middle;
    const out = Math.abs(above);
    const four = Math.abs((sample(-1, 0) + sample(1, 0) + sample(0, -1) + sample(0, 1)) / 4 - middle);
    const range = Math.max(...ring) - Math.min(...ring);
    if (!(out > Math.max(OUT, DEVIATIONS * spread) && range < RANGE * out)) continue;
    const value = rounded(Math.fround(Math.fround(middle) * top), top);
    if (four < SHARED * out) hot.push({ at: place(0, 0, c), value });
    else if (channels === 3 && above > BRIGHT && four < SPREAD * out && alone(c, out)) {
      for (const [dy, dx] of WITHIN) hot.push({ at: place(dy, dx, c), value });
    } else continue;
    count += 1;

    function alone(own, height) {
      return [0, 1, 2].every((channel) => {
        if (channel === own) return true;
        const middle = median(ringOf(channel));
        const mean = WITHIN.reduce((sum, [dy, dx]) => sum + sample(dy, dx, channel), 0) / 9;
        return Math.max(Math.abs(sample(0, 0, channel) - middle), Math.abs(mean - middle)) < ELSEWHERE * height;
      });
    }
  }
  return count > MOST * width * height ? [] : hot;
}

/** What whole rows (axis 0) or columns (1) lie above or below their surroundings; null: no bands. */
function bands(picture, axis) {
  const { width, height, channels, data } = picture;
  const [lines, along] = axis === 0 ? [height, width] : [width, height];
  if (lines < 16 * LINES || along < 8 * BLOCKS) return null;
  const blocks = Array.from({ length: BLOCKS }, () => new Float64Array(lines));
  rests(picture, axis, 1, (block, line, rest) => {
    blocks[block][line] = median(rest);
  });
  const offsets = Float64Array.from({ length: lines }, (_, line) => median(blocks.map((block) => block[line])));
  const deviation = 1.4826 * median(offsets.map(Math.abs));
  if (deviation < LEAST) return null; // most photographs, which are not looked at twice
  const noise = [];
  rests(picture, axis, SOME, (block, line, rest) => {
    for (let i = 0; i < rest.length; i += 1) rest[i] = Math.abs(rest[i] - blocks[block][line]);
    noise.push((1.2533 * 1.4826 * median(rest)) / Math.sqrt(rest.length));
  });
  if (deviation < (SIGNIFICANT * median(noise)) / Math.sqrt(BLOCKS)) return null;
  const limit = EDGE * deviation;
  for (let line = 0; line < lines; line += 1) if (Math.abs(offsets[line]) > limit) offsets[line] = 0;
  const mean = offsets.reduce((sum, value) => sum + value, 0) / lines;
  const centred = offsets.map((value) => value - mean);
  const power = centred.reduce((sum, value) => sum + value * value, 0) / lines;
  for (let lag = 2; lag < 17; lag += 1) {
    let sum = 0;
    for (let line = lag; line < lines; line += 1) sum += centred[line] * centred[line - lag];
    if (Math.abs(sum / (lines - lag) / power) > REPEATS) return null;
  }
  for (const block of blocks) {
    const clipped = block.map((value) => Math.min(limit, Math.max(-limit, value)));
    if (!(correlation(clipped, offsets) >= AGREEMENT)) return null;
  }
  const gain = 1 + 1 / (2 * LINES); // an offset lifts what its neighbours are compared with
  return Float32Array.from(offsets, (value) => value / gain);
}

/**
 * Every so many lines of the luma without what the lines beside have, block by block.
 *
 * @param {(block: number, line: number, rest: Float32Array) => void} visit  may change what it gets
 */
function rests(picture, axis, every, visit) {
  const { width, height, channels, data } = picture;
  const [lines, along] = axis === 0 ? [height, width] : [width, height];
  const [r, g, b] = [RED, GREEN, BLUE].map((weight) => weight / white(picture));
  const grey = 1 / white(picture);
  const luma = (at) => (channels === 1 ? grey * data[at] : r * data[at] + g * data[at + 1] + b * data[at + 2]);
  const planes = new Float32Array(Math.min(lines, GROUP + 2 * LINES) * along);
  const rest = new Float32Array(along);
  const edges = Array.from({ length: BLOCKS + 1 }, (_, block) => Math.trunc((along * block) / BLOCKS));
  for (let from = 0; from < lines; from += GROUP) {
    const to = Math.min(lines, from + GROUP);
    const [first, last] = [Math.max(0, from - LINES), Math.min(lines, to + LINES)];
    // In the order of the memory, whatever the axis.
    const [outer, inner] = axis === 0 ? [[first, last], [0, along]] : [[0, along], [first, last]];
    const [step, leap] = axis === 0 ? [1, along] : [along, 1];
    for (let y = outer[0]; y < outer[1]; y += 1) {
      let place = (y - outer[0]) * leap;
      let at = (y * width + inner[0]) * channels;
      for (let x = inner[0]; x < inner[1]; x += 1, at += channels, place += step) planes[place] = luma(at);
    }
    for (let line = from; line < to; line += every) {
      rest.fill(0);
      for (let distance = -LINES; distance <= LINES; distance += 1) {
        if (distance === 0) continue;
        const other = (mirrored(line + distance, lines) - first) * along;
        for (let place = 0; place < along; place += 1) rest[place] += planes[other + place];
      }
      const here = (line - first) * along;
      for (let place = 0; place < along; place += 1) rest[place] = planes[here + place] - rest[place] / (2 * LINES);
      for (let block = 0; block < BLOCKS; block += 1) visit(block, line, rest.subarray(edges[block], edges[block + 1]));
    }
  }
}

function without(picture, offsets, axis) {
  const { width, height, channels, data } = picture;
  const top = white(picture);
  const result = new data.constructor(data.length);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const offset = offsets[axis === 0 ? y : x];
      for (let c = 0; c < channels; c += 1, at += 1) {
        result[at] = rounded(Math.fround(Math.fround(Math.fround(data[at] / top) - offset) * top), top);
      }
    }
  }
  return withData(picture, result);
}

function correlation(a, b) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const [x, y] = [a[i] - meanA, b[i] - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

/** The median of an array, whose order is lost; from: Hoare, Algorithm 65: Find, 1961. */
export function median(values) {
  const middle = values.length >> 1;
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i += 1;
      while (values[j] > pivot) j -= 1;
      if (i > j) break;
      const value = values[i];
      values[i] = values[j];
      values[j] = value;
      i += 1;
      j -= 1;
    }
    if (middle <= j) high = j;
    else if (middle >= i) low = i;
    else break;
  }
  if (values.length % 2) return values[middle];
  let below = values[0];
  for (let i = 1; i < middle; i += 1) if (values[i] > below) below = values[i];
  return (below + values[middle]) / 2;
}
