// A file as the browser itself can show it: at once, before the service has looked at it.

import { Shelf, TILE } from "./layers.js";

const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/bmp"];
const ENDINGS = /\.(jpe?g|png|webp|avif|gif|bmp)$/i; // of files whose type the system does not know
const KEPT = 24; // drawn tiles

/** Whether this browser may be able to show a file. */
export const isShown = (file) => Boolean(file) && (SHOWN.includes(file.type) || ENDINGS.test(file.name));

/** The picture of a file at the size of a screen's tiles. */
export class LocalPicture {
  #tiles = new Shelf(KEPT);

  /** @param made what the worker answers: `{bitmap, width, height}`, upright, in sRGB */
  constructor({ bitmap, width, height }) {
    Object.assign(this, { bitmap, width, height });
  }

  /** A tile as a canvas; the samples of level n are means of 2^n x 2^n pixels. */
  canvas(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const there = this.#tiles.get(key);
    if (there) return there;
    const step = TILE << level;
    const [x, y] = [column * step, row * step];
    const [w, h] = [Math.min(step, this.width - x), Math.min(step, this.height - y)];
    if (w <= 0 || h <= 0) return null;
    const canvas = new OffscreenCanvas(Math.ceil(w / (1 << level)), Math.ceil(h / (1 << level)));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "medium";
    const [across, down] = [this.bitmap.width / this.width, this.bitmap.height / this.height];
    context.drawImage(this.bitmap, x * across, y * down, w * across, h * down, 0, 0, w / (1 << level), h / (1 << level));
    this.#tiles.set(key, canvas);
    return canvas;
  }

  close() {
    this.bitmap.close();
    this.#tiles.clear();
  }
}

let decoder = null;
let count = 0;
const asked = new Map(); // what is being decoded
const pictures = new Map(); // promises of LocalPictures, by file

/** Have a file decoded beside the page: `{small, bitmap, width, height}`, or null where the browser cannot. */
function decoded(file, whole) {
  if (!isShown(file)) return Promise.resolve(null);
  if (!decoder) {
    decoder = new Worker(new URL("local_worker.js", import.meta.url), { type: "module" });
    decoder.onmessage = ({ data: { number, made } }) => {
      asked.get(number)(made);
      asked.delete(number);
    };
    decoder.onerror = () => {
      decoder = null;
      for (const done of asked.values()) done(null);
      asked.clear();
    };
  }
  return new Promise((done) => {
    asked.set((count += 1), done);
    decoder.postMessage({ number: count, file, whole });
  });
}

/** The picture of the file that is looked at, decoded once; null where the browser cannot. */
export function pictureOf(file) {
  if (!pictures.has(file)) {
    const made = decoded(file, true);
    pictures.set(file, { made, picture: made.then((there) => there && new LocalPicture(there)) });
  }
  return pictures.get(file).picture;
}

/** Forget the picture of a file that is no longer looked at. */
export function forget(file) {
  pictures.get(file)?.picture.then((picture) => picture?.close());
  pictures.delete(file);
}

/** A small picture of a file, as an address; null where this browser cannot. */
export async function smallPicture(file) {
  await null; // what is looked at is decoded whole, and only once
  const made = await (pictures.get(file)?.made ?? decoded(file, false));
  return made && URL.createObjectURL(made.small);
}
