// 8-bit results where they are smoother than 8 bits can show. The rule of
// src/invdn/inference/blending.py, where it is explained.

/** Rows around that must be smooth. */
export const AROUND = 2;
const WHITE = 255;
const SMOOTH = 1.5;
const AMPLITUDE = 0.75;
const REMOVED = 0.5;

/**
 * Rounds rows of a result to whole levels where they are smooth, in place.
 *
 * @param {Float32Array} clean    rows of the result, in the photograph's colours
 * @param {Float32Array} blended  the same in the network's
 * @param {Float32Array} noisy    rows as the network saw them
 * @param {Float32Array} means    the network's result, with up to `AROUND` rows before and after
 * @param {{width: number, channels: number, top: number, count: number, before: number}} place  top: the
 *   first row in the photograph; before: rows of `means` before it
 */
export function dither(clean, blended, noisy, means, { width, channels, top, count, before }) {
  const stride = width * channels;
  const last = means.length / stride - 1;
  for (let y = 0; y < count; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * channels;
      const middle = (y + before) * stride + x * channels;
      let energy = 0;
      let removed = 0;
      let smooth = true;
      for (let c = 0; c < channels && smooth; c += 1) {
        const change = means[middle + c] - noisy[at + c];
        energy += change * change;
        removed += change * (blended[at + c] - noisy[at + c]);
        let low = Infinity;
        let high = -Infinity;
        for (let dy = -AROUND; dy <= AROUND; dy += 1) {
          const row = Math.min(last, Math.max(0, y + before + dy)) * stride + c;
          for (let dx = -AROUND; dx <= AROUND; dx += 1) {
            const value = means[row + Math.min(width - 1, Math.max(0, x + dx)) * channels];
            low = Math.min(low, value);
            high = Math.max(high, value);
          }
        }
        smooth = WHITE * high - WHITE * low < SMOOTH;
      }
      if (!smooth || !(removed > REMOVED * energy)) continue;
      const pattern = (52.9829189 * ((0.00583715 * (top + y) + 0.06711056 * x) % 1)) % 1;
      for (let c = 0; c < channels; c += 1) {
        const value = WHITE * clean[at + c];
        if (value < 0.5 || value > WHITE - 0.5) continue;
        clean[at + c] = Math.floor(value + (1 - AMPLITUDE) / 2 + AMPLITUDE * pattern) / WHITE;
      }
    }
  }
}
