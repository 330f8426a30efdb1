// Between the photograph and what the network made of it: strength, luminance, chroma, detail. The
// formula of src/invdn/inference/blending.py, on rows of pixels.

import { BLUE, GREEN, RED } from "./picture.js";

/**
 * @typedef {{strength: number | "auto", luminance: number, chroma: number, detail: number, look?: string, stars?: boolean}} Look
 */

/** The network's result as it stands. */
export const NEUTRAL = Object.freeze({ strength: 1, luminance: 1, chroma: 1, detail: 0 });
/** What the command does unasked. */
export const USUAL = Object.freeze({ ...NEUTRAL, strength: "auto" });
/** What each look adds to the logits of the shares of noise, and its share of the change of brightness. */
export const LOOKS = { gentle: [-1, 0.7], natural: [0, 1], strong: [2, 1] };
/** Both of a look; `natural` where none is named. */
export const lookOf = ({ look = "natural" }) => LOOKS[look];

export const isWhole = ({ strength, luminance, chroma, detail }) => strength === 1 && luminance === 1 && chroma === 1 && detail === 0;
export const isNothing = ({ strength, luminance, chroma }) => strength === 0 || (luminance === 0 && chroma === 0);
/** Whether stars are put back; automatic strength keeps them by itself. */
export const keepsStars = ({ strength, stars = false }) => stars && strength !== "auto";
export const needsShares = ({ strength, detail }) => strength === "auto" || detail > 0;

/**
 * @param {Float32Array} noisy   pixels as the network saw them
 * @param {Float32Array} clean   what it made of them; becomes the result
 * @param {Float32Array} shares  two for each pixel, where the look needs them
 * @param {Look} look
 * @param {1 | 3} channels
 */
export function blend(noisy, clean, shares, look, channels) {
  if (isWhole(look)) return;
  const { strength, luminance, chroma, detail } = look;
  const automatic = strength === "auto";
  const explained = needsShares(look);
  const [, grain] = lookOf(look);
  for (let at = 0, pixel = 0; at < clean.length; at += channels, pixel += 2) {
    const inGrey = explained ? shares[pixel] : 1;
    const inColour = explained ? shares[pixel + 1] : 1;
    const taken = (automatic ? grain * inGrey : strength) * luminance * (1 - detail * (1 - inGrey));
    if (channels === 1) {
      clean[at] = noisy[at] + taken * (clean[at] - noisy[at]);
      continue;
    }
    const r = clean[at] - noisy[at];
    const g = clean[at + 1] - noisy[at + 1];
    const b = clean[at + 2] - noisy[at + 2];
    const colour = (automatic ? inColour : strength) * chroma;
    const grey = (taken - colour) * (RED * r + GREEN * g + BLUE * b);
    clean[at] = noisy[at] + colour * r + grey;
    clean[at + 1] = noisy[at + 1] + colour * g + grey;
    clean[at + 2] = noisy[at + 2] + colour * b + grey;
  }
}
