// All photographs of the session, the one that is looked at, and whose turn it is.

import { Photo } from "./photo.js";

const AT_ONCE = 2; // one at work, one handed over meanwhile

/** Fires "change" (a photograph, as `detail`), "list" and "current". */
export class Table extends EventTarget {
  photos = [];
  current = null;
  #options;

  /** @param options makes the options of a job from a Photo */
  constructor(options) {
    super();
    this.#options = options;
  }

  add(files, quality, look, refusal) {
    const added = files.map((file) => new Photo(file, quality, look));
    for (const photo of added) {
      photo.addEventListener("change", () => {
        this.dispatchEvent(new CustomEvent("change", { detail: photo }));
        this.#next();
      });
    }
    this.photos.push(...added);
    this.dispatchEvent(new Event("list"));
    for (const photo of added) {
      const words = refusal(photo.file);
      if (words) photo.refuse(words);
    }
    const free = !this.current || this.current.state === "refused";
    if (added.length && free) this.choose(added.find((photo) => photo.state !== "refused") ?? added[0]);
    this.#next();
    return added;
  }

  choose(photo) {
    if (photo === this.current) return;
    this.current = photo;
    this.dispatchEvent(new Event("current"));
    this.#next();
  }

  /** The one `by` places after the current one, if there is. */
  step(by) {
    const photo = this.photos[this.photos.indexOf(this.current) + by];
    if (photo) this.choose(photo);
  }

  remove(photo) {
    const place = this.photos.indexOf(photo);
    if (place < 0) return;
    photo.remove();
    this.photos.splice(place, 1);
    this.dispatchEvent(new Event("list"));
    if (photo === this.current) {
      this.current = null;
      if (this.photos.length) this.choose(this.photos[Math.min(place, this.photos.length - 1)]);
      else this.dispatchEvent(new Event("current"));
    }
    this.#next();
  }

  /** Start those whose turn it is: the one that is looked at first, then in order. */
  #next() {
    const busy = this.photos.filter((photo) => photo.busy).length;
    if (busy >= AT_ONCE) return;
    const waiting = this.photos.filter((photo) => photo.state === "waiting");
    const photo = waiting.includes(this.current) ? this.current : waiting[0];
    if (!photo) return;
    if (photo.wait) {
      photo.timer ??= setTimeout(() => {
        photo.timer = undefined;
        photo.wait = 0;
        this.#next();
      }, photo.wait);
      return;
    }
    photo.run(this.#options);
    this.#next();
  }
}
