// A file as the browser itself can show it: at once, before the service has looked at it.

import { Shelf, TILE } from "./layers.js";

const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif", "image/bmp"];
const KEPT = 24; // drawn tiles
const THUMBNAIL = 224;

/** The picture of a file at the size of a screen's tiles. */
export class LocalPicture {
  #tiles = new Shelf(KEPT);

  /** @param bitmap upright, in sRGB */
  constructor(bitmap) {
    Object.assign(this, { bitmap, width: bitmap.width, height: bitmap.height });
  }

  /** Decode a file; null where this browser cannot. */
  static async of(file) {
    if (!file || !SHOWN.includes(file.type)) return null;
    try {
      return new LocalPicture(await createImageBitmap(file));
    } catch {
      return null;
    }
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
    context.drawImage(this.bitmap, x, y, w, h, 0, 0, w / (1 << level), h / (1 << level));
    this.#tiles.set(key, canvas);
    return canvas;
  }

  close() {
    this.bitmap.close();
    this.#tiles.clear();
  }
}

let line = Promise.resolve();

/** A small picture of a file, as an address; null where this browser cannot. One after another. */
export function smallPicture(file) {
  const made = line.then(() => shrunk(file)).catch(() => null);
  line = made;
  return made;
}

async function shrunk(file) {
  if (!SHOWN.includes(file.type)) return null;
  const bitmap = await createImageBitmap(file, { resizeWidth: THUMBNAIL, resizeQuality: "medium" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
}
