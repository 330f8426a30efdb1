// Hot and dead pixels, banding and blotches of colour: found and mended before the network. The rule of
// src/invdn/image/defects.py, where it is explained; tests/browser holds both to the same results.

import { findBlotches, takeOff } from "./blotches.js";
import { BLUE, GREEN, mirrored, RED, rounded, white, withData } from "./picture.js";

const [OUT, DEVIATIONS, SHARED, RANGE, MOST] = [0.1, 8, 0.2, 0.5, 1e-3];
const [LINES, BLOCKS, SIGNIFICANT, LEAST, REPEATS, EDGE] = [4, 8, 2.5, 0.5 / 255, 0.5, 4];
const AGREEMENT = 0.5;
const GROUP = 256; // lines of a block that are looked at together

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
export function hotPixels(picture) {
  const { width, height, channels, data } = picture;
  const top = white(picture);
  const least = OUT * top;
  const stride = width * channels;
  const places = [];
  for (let y = 0; y < height; y += 1) {
    const [above, below] = [mirrored(y - 1, height) * stride, mirrored(y + 1, height) * stride];
    const row = y * stride;
    for (let x = 0; x < width; x += 1) {
      const [left, right] = [mirrored(x - 1, width) * channels, mirrored(x + 1, width) * channels];
      for (let c = 0, here = x * channels; c < channels; c += 1, here += 1) {
        const value = data[row + here];
        // Beyond its neighbour on the left by enough, or nothing to look at further.
        const beside = data[row + left + c];
        if (Math.abs(value - beside) <= least) continue;
        const others = [
          beside, data[row + right + c], data[above + left + c], data[above + here], data[above + right + c],
          data[below + left + c], data[below + here], data[below + right + c],
        ];
        if (value - Math.max(...others) > least || Math.min(...others) - value > least) places.push([y, x, c]);
      }
    }
  }
  if (places.length > 20 * MOST * data.length) return [];
  const hot = [];
  for (const [y, x, c] of places) {
    const sample = (dy, dx) => Math.fround(data[mirrored(y + dy, height) * stride + mirrored(x + dx, width) * channels + c] / top);
    const ring = [];
    for (let dy = -2; dy <= 2; dy += 1) {
      for (let dx = -2; dx <= 2; dx += 1) if (Math.max(Math.abs(dy), Math.abs(dx)) === 2) ring.push(sample(dy, dx));
    }
    const middle = median(ring);
    const spread = median(ring.map((value) => Math.abs(value - middle)));
    const out = Math.abs(sample(0, 0) - middle);
    const four = Math.abs((sample(-1, 0) + sample(1, 0) + sample(0, -1) + sample(0, 1)) / 4 - middle);
    const range = Math.max(...ring) - Math.min(...ring);
    if (out > Math.max(OUT, DEVIATIONS * spread) && four < SHARED * out && range < RANGE * out) {
      hot.push({ at: y * stride + x * channels + c, value: rounded(Math.fround(Math.fround(middle) * top), top) });
    }
  }
  return hot.length > MOST * width * height ? [] : hot;
}

/** What whole rows (axis 0) or columns (1) lie above or below their surroundings; null: no bands. */
export function bands(picture, axis) {
  const { width, height, channels, data } = picture;
  const [lines, along] = axis === 0 ? [height, width] : [width, height];
  if (lines < 16 * LINES || along < 8 * BLOCKS) return null;
  const top = white(picture);
  const luma = (line, place) => {
    const at = (axis === 0 ? line * width + place : place * width + line) * channels;
    return channels === 1 ? data[at] / top : (RED * data[at] + GREEN * data[at + 1] + BLUE * data[at + 2]) / top;
  };
  const blocks = Array.from({ length: BLOCKS }, () => new Float64Array(lines));
  const noise = [];
  for (let block = 0; block < BLOCKS; block += 1) {
    const [start, end] = [Math.trunc((along * block) / BLOCKS), Math.trunc((along * (block + 1)) / BLOCKS)];
    const length = end - start;
    const rest = new Float64Array(length);
    for (let from = 0; from < lines; from += GROUP) {
      const to = Math.min(lines, from + GROUP);
      const wide = to - from + 2 * LINES;
      const planes = Array.from({ length: wide }, (_, i) => {
        const line = mirrored(from - LINES + i, lines);
        return Float64Array.from({ length }, (_, place) => luma(line, start + place));
      });
      for (let line = from; line < to; line += 1) {
        const here = line - from + LINES;
        for (let place = 0; place < length; place += 1) {
          let sum = 0;
          for (let other = here - LINES; other <= here + LINES; other += 1) if (other !== here) sum += planes[other][place];
          rest[place] = planes[here][place] - sum / (2 * LINES);
        }
        const middle = median(rest);
        blocks[block][line] = middle;
        noise.push((1.2533 * 1.4826 * median(rest.map((value) => Math.abs(value - middle)))) / Math.sqrt(length));
      }
    }
  }
  const offsets = Float64Array.from({ length: lines }, (_, line) => median(blocks.map((block) => block[line])));
  const deviation = 1.4826 * median(offsets.map(Math.abs));
  const expected = median(noise) / Math.sqrt(BLOCKS);
  if (deviation < Math.max(LEAST, SIGNIFICANT * expected)) return null;
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

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
