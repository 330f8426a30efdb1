// What is on the table: one photograph as tiles ready to be drawn, before and after.

import { blend, heat, isWhole, NEUTRAL } from "./blend.js";
import { levels, Shelf, tileRegion } from "./layers.js";

const KEPT = 96; // drawn tiles of each side, 1 MB each

/** The layers of one photograph and the look that is laid over them. */
export class Scene {
  clean = null; // Layer or Previews
  explained = null; // Layer: how much of the change is noise, for the detail slider and the automatic strength
  uncertainty = null; // Layer
  look = NEUTRAL;
  overlay = false;
  meanwhile = null; // LocalPicture: what the browser shows until the tiles come
  #version = 0;
  #before = new Shelf(KEPT);
  #after = new Shelf(KEPT);

  /** @param noisy the Layer of the photograph as it was taken */
  constructor(noisy) {
    this.noisy = noisy;
    this.width = noisy.width;
    this.height = noisy.height;
    this.coarsest = levels(this.width, this.height);
  }

  /** Something of the after side is no longer as it was: draw its tiles anew. */
  changed() {
    this.#version += 1;
  }

  /** The tile before, as a canvas; null while it is on its way. */
  before(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const there = this.#before.get(key);
    if (there) return there;
    const noisy = this.noisy.tile(level, column, row);
    if (!noisy) return this.meanwhile?.canvas(level, column, row) ?? null;
    const place = tileRegion(this.width, this.height, level, column, row);
    const canvas = painted(new OffscreenCanvas(place.columns, place.rows), { noisy, clean: noisy, explained: null, look: NEUTRAL });
    this.#before.set(key, canvas);
    return canvas;
  }

  /** The tile after, with the look and the overlay; what was there before while it is on its way. */
  after(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const there = this.#after.get(key);
    if (there?.version === this.#version) return there.canvas;
    const noisy = this.noisy.tile(level, column, row);
    const clean = this.clean?.tile(level, column, row);
    if (!clean) return there?.canvas ?? null;
    const explained = this.explained?.tile(level, column, row) ?? null;
    const unexplained = needsShares(this.look) && this.explained && !explained;
    if (unexplained && there) return there.canvas;
    if (!noisy && !isWhole(explained, this.look)) return there?.canvas ?? null;
    if (noisy === clean && !this.overlay) return this.before(level, column, row); // nothing is denoised yet
    const uncertainty = this.overlay ? (this.uncertainty?.tile(level, column, row) ?? null) : null;
    const place = tileRegion(this.width, this.height, level, column, row);
    const canvas = there?.canvas ?? new OffscreenCanvas(place.columns, place.rows);
    painted(canvas, { noisy, clean, explained, look: this.look, uncertainty });
    const awaited = (this.overlay && this.uncertainty && !uncertainty) || unexplained;
    this.#after.set(key, { canvas, version: awaited ? -1 : this.#version });
    return canvas;
  }

  close() {
    for (const layer of [this.noisy, this.clean, this.explained, this.uncertainty]) layer?.close?.();
  }
}

const needsShares = ({ strength, detail }) => strength === "auto" || detail > 0;

function painted(canvas, { noisy, clean, explained, look, uncertainty = null }) {
  const picture = new ImageData(canvas.width, canvas.height);
  blend(noisy, clean, explained, look, picture.data);
  if (uncertainty) heat(uncertainty, picture.data);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}
