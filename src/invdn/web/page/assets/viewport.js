// Which part of a photograph is seen, and how large: pure numbers, shared by both sides.
//
// `zoom` is in pixels of the screen (not CSS pixels) per pixel of the photograph, so 1 is sharp.

const STEPS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32];
const LARGEST = STEPS.at(-1);

/** A photograph of `width` x `height` behind a window of `across` x `down` screen pixels. */
export class Viewport {
  zoom = 1;
  x = 0; // what of the photograph is in the middle
  y = 0;
  fitted = true;

  constructor(width, height) {
    Object.assign(this, { width, height, across: 1, down: 1, x: width / 2, y: height / 2 });
  }

  /** The zoom that shows the whole; a small photograph is enlarged by whole numbers only. */
  get whole() {
    const zoom = Math.min(this.across / this.width, this.down / this.height);
    return zoom > 1 ? Math.min(Math.floor(zoom), LARGEST) : zoom;
  }

  get smallest() {
    return Math.min(this.whole, STEPS.find((step) => step * Math.max(this.width, this.height) >= 64) ?? 1);
  }

  resize(across, down) {
    Object.assign(this, { across, down });
    if (this.fitted) this.fit();
    else this.#settle();
  }

  fit() {
    Object.assign(this, { zoom: this.whole, x: this.width / 2, y: this.height / 2, fitted: true });
  }

  /** Zoom so that what lies under the point (in the window) stays there. */
  zoomTo(zoom, across = this.across / 2, down = this.down / 2) {
    const [x, y] = this.toPhoto(across, down);
    this.zoom = Math.min(Math.max(zoom, this.smallest), LARGEST);
    this.x = x - (across - this.across / 2) / this.zoom;
    this.y = y - (down - this.down / 2) / this.zoom;
    this.fitted = false;
    this.#settle();
  }

  /** The next full step up (1) or down (-1). */
  step(direction) {
    const near = this.zoom * (direction > 0 ? 1.01 : 0.99);
    const next = direction > 0 ? STEPS.find((step) => step > near) : STEPS.findLast((step) => step < near);
    this.zoomTo(next ?? (direction > 0 ? LARGEST : this.smallest));
  }

  /** Move the photograph by screen pixels. */
  pan(across, down) {
    this.x -= across / this.zoom;
    this.y -= down / this.zoom;
    this.fitted = false;
    this.#settle();
  }

  /** Whether a part of the photograph is out of sight. */
  get overflows() {
    return this.width * this.zoom > this.across + 1 || this.height * this.zoom > this.down + 1;
  }

  #settle() {
    const [halfWidth, halfHeight] = [this.across / 2 / this.zoom, this.down / 2 / this.zoom];
    const within = (value, half, whole) =>
      2 * half >= whole ? whole / 2 : Math.min(Math.max(value, half), whole - half);
    this.x = within(this.x, halfWidth, this.width);
    this.y = within(this.y, halfHeight, this.height);
  }

  /** Where the photograph's upper left corner lies in the window; whole pixels. */
  get origin() {
    return [Math.round(this.across / 2 - this.x * this.zoom), Math.round(this.down / 2 - this.y * this.zoom)];
  }

  toPhoto(across, down) {
    const [left, top] = this.origin;
    return [(across - left) / this.zoom, (down - top) / this.zoom];
  }

  /** The visible part as `{x, y, w, h}` in whole pixels of the photograph. */
  get visible() {
    const [left, top] = this.toPhoto(0, 0);
    const [right, bottom] = this.toPhoto(this.across, this.down);
    const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
    return { x, y, w: Math.min(this.width, Math.ceil(right)) - x, h: Math.min(this.height, Math.ceil(bottom)) - y };
  }
}
