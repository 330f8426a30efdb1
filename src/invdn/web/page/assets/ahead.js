// The visible part first: a region denoised quickly while the whole photograph is still at work.

import * as service from "./service.js";

const STILL = 250; // ms without a move before the region is asked for
const TARGET = 1500; // ms that a region may take
const FIRST = 256 * 256; // pixels, before the machine's pace is known

export class Ahead {
  #pixels = FIRST;
  #limit;
  #timer = 0;
  #asked = null;
  #seen = "";
  #options;

  /**
   * @param limit    pixels that the service accepts
   * @param options  makes the options of a region from a Photo
   */
  constructor(limit, options) {
    this.#limit = limit;
    this.#options = options;
  }

  /** Something changed: look again once it is still. `previews` are those of the scene; `done` gets each region. */
  consider(photo, viewport, previews, done) {
    if (!this.#worthwhile(photo, previews)) {
      this.stop();
      return;
    }
    const { x, y, w, h } = viewport.visible;
    const seen = [photo.number, x, y, w, h].join();
    if (seen === this.#seen) return; // waited for, on its way, or there
    this.#seen = seen;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(photo, viewport, previews, done), STILL);
  }

  #worthwhile(photo, previews) {
    return Boolean(photo?.there && previews && !photo.result && ["queued", "running"].includes(photo.state));
  }

  /** The middle of what is visible, as large as the machine denoises in time. */
  region({ x, y, w, h }) {
    const scale = Math.min(1, Math.sqrt(this.#pixels / (w * h)));
    const [width, height] = [w, h].map((edge) => Math.max(1, Math.min(edge, Math.round(edge * scale))));
    return { x: x + ((w - width) >> 1), y: y + ((h - height) >> 1), w: width, h: height };
  }

  async #ask(photo, viewport, previews, done) {
    const region = this.region(viewport.visible);
    if (region.w < 8 || region.h < 8 || previews.covers(region)) return;
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    const start = performance.now();
    try {
      const picture = await service.preview(photo.there.links.preview, region, this.#options(photo), asked.signal);
      const rgb = await service.decoded(picture);
      if (asked.signal.aborted) return;
      this.#learn(region, performance.now() - start);
      done({ ...region, rgb });
    } catch {
      // The region is a courtesy: what is wrong with the photograph is told by its job.
    } finally {
      if (this.#asked === asked) this.#asked = null;
    }
  }

  #learn({ w, h }, took) {
    const wanted = (w * h * TARGET) / Math.max(took, 50);
    this.#pixels = Math.min(Math.max((this.#pixels + wanted) / 2, 96 * 96), this.#limit);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#asked = null;
    this.#seen = "";
  }
}
