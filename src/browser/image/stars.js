// Stars and other points of light, which the network softens. The rule of src/invdn/image/stars.py, where
// it is explained; tests/browser holds both to the same results.

import { median, RING } from "./defects.js";
import { BLUE, GREEN, RED } from "./picture.js";

/** Rows around a row of pixels that matter: a star's eight neighbours, and the ring around its middle. */
export const AROUND = 3;
const [OUT, DEVIATIONS, RANGE] = [0.12, 10, 0.4];
const [SHARED, COLOUR] = [0.15, 0.35];
const CORNERS = RING.filter((offsets) => offsets.every((step) => Math.abs(step) === 2));
const CROSS = [[-1, 0], [0, -1], [0, 1], [1, 0]];

/**
 * Put the stars of the noisy rows, and their eight neighbours each, into a result.
 *
 * @param {Float32Array} clean  `count` rows of the result; changed in place
 * @param {Float32Array} noisy  `before` rows above those, they themselves, and the rows below
 * @param {{width: number, channels: 1 | 3, count: number, before: number}} place
 */
export function keepStars(clean, noisy, { width, channels, count, before }) {
  const stride = width * channels;
  for (const [row, column] of findStars(noisy, width, channels)) {
    for (let y = Math.max(row - 1, before); y <= Math.min(row + 1, before + count - 1); y += 1) {
      const from = y * stride + (column - 1) * channels;
      clean.set(noisy.subarray(from, from + 3 * channels), from - before * stride);
    }
  }
}

/** Rows and columns of the middles of stars; two pixels at the borders are not looked at. */
export function findStars(colors, width, channels) {
  const height = colors.length / (width * channels);
  const luma = channels === 1 ? colors : lumaOf(colors);
  const places = (offsets) => offsets.map(([down, along]) => down * width + along);
  const [corners, cross, ringed] = [CORNERS, CROSS, RING].map(places);
  const found = [];
  for (let row = 2; row < height - 2; row += 1) {
    for (let column = 2; column < width - 2; column += 1) {
      const at = row * width + column;
      const stands = corners.every((to) => luma[at] > Math.fround(luma[at + to] + Math.fround(OUT)));
      if (stands && cross.every((to) => luma[at] >= luma[at + to]) && isStar(at)) found.push([row, column]);
    }
  }
  return found;

  function isStar(at) {
    const ring = ringed.map((to) => luma[at + to]);
    const base = median(ring);
    const spread = median(ring.map((value) => Math.abs(value - base)));
    const tall = luma[at] - base;
    if (!(tall > Math.max(OUT, DEVIATIONS * spread) && Math.max(...ring) - Math.min(...ring) < RANGE * tall)) return false;
    const beside = cross.reduce((sum, to) => sum + luma[at + to], 0) / 4;
    if (!(beside - base > SHARED * tall)) return false;
    if (channels === 1) return true;
    return [0, 1, 2].every((c) => {
      const own = ringed.map((to) => colors[(at + to) * 3 + c]);
      return colors[at * 3 + c] - median(own) > COLOUR * tall;
    });
  }
}

function lumaOf(colors) {
  const luma = new Float32Array(colors.length / 3);
  for (let i = 0, at = 0; i < luma.length; i += 1, at += 3) luma[i] = RED * colors[at] + GREEN * colors[at + 1] + BLUE * colors[at + 2];
  return luma;
}
