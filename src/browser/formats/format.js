// What files of every format have in common.

import { words } from "../words.js";

/** What is wrong with a file, for people. */
export class FormatError extends Error {
  name = "FormatError";
}

const MOST_PIXELS = 80e6; // of a photograph: the memory of a page ends there

/** Refuse a photograph that needs more memory than a page has. */
export function checkSize(width, height) {
  if (width * height > MOST_PIXELS) throw new FormatError(words.tooLarge(Math.round((width * height) / 1e6), MOST_PIXELS / 1e6));
}
