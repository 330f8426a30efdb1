// The strength that auto takes: the single one nearest to what it does, measured in the middle of a result.

import { LOOKS, USUAL } from "./blend.js";
import { query, region } from "./service.js";

const EDGE = 384; // pixels
const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114]; // luma, as in blend.js

/** Where the shares of noise are by which a look of automatic strength blends a finished job; null where it has none. */
export function sharesOf({ links: { explained } }, kind) {
  return explained && kind !== USUAL.look ? `${explained}${query({ look: kind })}` : (explained ?? null);
}

/** 0 to 1 for a photograph, its finished job and a look; null where nothing was changed. */
export async function strengthFound({ width, height, links }, job, kind) {
  const explained = sharesOf(job, kind);
  if (!explained) return null;
  const [w, h] = [Math.min(EDGE, width), Math.min(EDGE, height)];
  const middle = { x: (width - w) >> 1, y: (height - h) >> 1, w, h };
  const [noisy, clean, shares] = await Promise.all(
    [links.rendering, job.links.rendering, explained].map((link) => region(link, middle, 1)),
  );
  let [both, whole] = [0, 0];
  for (let at = 0; at < noisy.length; at += 3) {
    const change = [0, 1, 2].map((channel) => clean[at + channel] - noisy[at + channel]);
    const grey = RED * change[0] + GREEN * change[1] + BLUE * change[2];
    for (const value of change) {
      const made = (LOOKS[kind] * shares[at] * grey + shares[at + 1] * (value - grey)) / 255;
      both += made * value;
      whole += value * value;
    }
  }
  return whole ? Math.min(1, Math.max(0, both / whole)) : null;
}
