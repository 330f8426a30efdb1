// The visible part first: denoised quickly at the size of the screen, while the whole is still at work.
//
//   the whole visible part, coarse  ->  the same as fine as the screen shows it

import * as service from "./service.js";

const STILL = 200; // ms without a move before the region is asked for
const FIRST = 200_000; // samples of the first, coarse one
const TARGET = 1200; // ms that a region may take
const FINE = 6000; // ms that the fine one may take
const COARSEST = 6; // level
const FEWEST = 20_000; // samples of a coarse one, however slow the service is
const PATIENCE = 2500; // ms that a job waits for the first preview of its photograph

/** Samples that the network sees, as the service counts them. */
const samplesOf = ({ w, h, edge }) => Math.ceil(w / edge) * Math.ceil(h / edge);

export class Ahead {
  #samples; // that take TARGET ms
  #limit;
  #quick;
  #timer = 0;
  #asked = null;
  #seen = "";
  #options;
  #patience = 0;
  #begin;
  first = null; // the Photo whose first preview is on its way: its job and its tiles wait for it

  /**
   * @param limit    samples that the service accepts
   * @param quick    samples that it makes at once; finer previews make way for them
   * @param options  makes the options of a region from a Photo
   * @param begin    called when `first` changes, with whether there is one
   */
  constructor(limit, quick, options, begin) {
    this.#limit = limit;
    this.#quick = Math.min(limit, quick);
    this.#samples = Math.min(FIRST, this.#quick);
    this.#options = options;
    this.#begin = begin;
  }

  /**
   * Something changed: look again once it is still. `previews` are those of the scene; `done` gets each
   * region, and `begun` the one that is being made.
   */
  consider(photo, viewport, previews, begun, done) {
    if (!this.#worthwhile(photo, previews)) {
      this.stop();
      return;
    }
    const { x, y, w, h } = viewport.visible;
    const seen = [photo.number, x, y, w, h, this.#finest(viewport)].join();
    if (seen === this.#seen) return; // waited for, on its way, or there
    const still = this.#seen ? STILL : 0; // what has just come is not being moved
    this.#seen = seen;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(photo, viewport, previews, begun, done), still);
    if (photo.state === "ready" && !photo.asks && !previews.regions.length) this.#goFirst(photo);
  }

  /** Let the job and the tiles of a photograph wait for its preview; null: no longer. */
  #goFirst(photo) {
    if (this.first === photo) return;
    clearTimeout(this.#patience);
    if (this.first) this.first.previewing = false;
    if (photo) photo.previewing = true;
    this.first = photo;
    if (photo) this.#patience = setTimeout(() => this.#goFirst(null), PATIENCE);
    this.#begin(Boolean(photo));
  }

  #worthwhile(photo, previews) {
    return Boolean(photo?.there && previews && !photo.result && ["ready", "queued", "running"].includes(photo.state));
  }

  /** The level that the screen shows. */
  #finest = ({ zoom }) => Math.min(COARSEST, Math.max(0, Math.floor(Math.log2(1 / zoom) + 1e-9)));

  /** Regions to ask for, one after the other: `{x, y, w, h, edge}`. */
  plan(viewport) {
    const { x, y, w, h } = viewport.visible;
    const region = (edge) => {
      const [left, top] = [Math.floor(x / edge) * edge, Math.floor(y / edge) * edge];
      return { x: left, y: top, w: x + w - left, h: y + h - top, edge };
    };
    const fine = region(1 << this.#finest(viewport));
    let coarse = fine;
    while (coarse.edge < 1 << COARSEST && samplesOf(coarse) > this.#samples) coarse = region(2 * coarse.edge);
    const both = coarse !== fine && samplesOf(fine) < Math.min(this.#limit, (this.#samples * FINE) / TARGET);
    return both ? [coarse, fine] : [coarse];
  }

  async #ask(photo, viewport, previews, begun, done) {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    for (const region of this.plan(viewport)) {
      if (Math.min(region.w, region.h) < 8 * region.edge || previews.covers(region, region.edge)) continue;
      const start = performance.now();
      begun(region);
      try {
        const picture = await service.preview(photo.there.links.preview, region, this.#options(photo), asked.signal);
        const rgb = await service.decoded(picture);
        if (asked.signal.aborted) return;
        this.#learn(region, performance.now() - start);
        done({ ...region, rgb });
        this.#goFirst(null);
      } catch {
        // The region is a courtesy: what is wrong with the photograph is reported by its job.
        begun(null);
        break;
      }
    }
    if (this.#asked !== asked) return;
    this.#asked = null;
    this.#goFirst(null);
  }

  #learn(region, took) {
    const wanted = samplesOf(region) * (TARGET / Math.max(took, 50));
    this.#samples = Math.min(Math.max((this.#samples + wanted) / 2, FEWEST), this.#quick);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
    this.#asked = null;
    this.#seen = "";
    this.#goFirst(null);
  }
}
