// All photographs of the session, the one that is looked at, and whose turn it is.

import { smallPicture } from "./local.js";
import { Photo } from "./photo.js";

const SENT_AT_ONCE = 3; // files on their way
const JOBS_AT_ONCE = 2; // one at work, one behind it; so the one that is looked at comes soon

/** Fires "change" (a photograph, as `detail`), "list" and "current". */
export class Table extends EventTarget {
  photos = [];
  current = null;
  #options;
  #guess;
  #later;
  #timer = 0;
  #starting = false;

  /**
   * @param options  makes the options of a job from a Photo
   * @param guess    seconds that the job of a Photo takes, or null
   * @param later    whether the job of a Photo waits for its first preview; `begin` ends the wait
   */
  constructor(options, guess, later) {
    super();
    this.#options = options;
    this.#guess = guess;
    this.#later = later;
  }

  /** Take files in; `refusal` says why one cannot be taken, `asks` whether its job waits to be told. */
  add(files, quality, look, refusal, asks) {
    const added = files.map((file) => new Photo(file, quality, look));
    for (const photo of added) this.#adopt(photo);
    this.dispatchEvent(new Event("list"));
    for (const photo of added) {
      const words = refusal(photo.file);
      photo.asks = asks;
      if (words) photo.refuse(words);
      else this.#picture(photo);
    }
    const free = !this.current || this.current.state === "refused";
    if (added.length && free) this.choose(added.find((photo) => photo.state !== "refused") ?? added[0]);
    this.#next();
    return added;
  }

  /** Take in photographs that were handed over before the page was loaded anew. */
  restore(photos, current) {
    for (const photo of photos) this.#adopt(photo);
    this.dispatchEvent(new Event("list"));
    const chosen = photos.find((photo) => photo.there.id === current) ?? photos[0];
    if (chosen) this.choose(chosen);
    this.#next();
  }

  #adopt(photo) {
    photo.guess = () => this.#guess(photo);
    photo.addEventListener("change", () => {
      this.dispatchEvent(new CustomEvent("change", { detail: photo }));
      this.#next();
    });
    this.photos.push(photo);
  }

  async #picture(photo) {
    photo.small = undefined;
    photo.small = await smallPicture(photo.file);
    if (this.photos.includes(photo)) this.dispatchEvent(new CustomEvent("change", { detail: photo }));
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

  /** Start what may start: the photograph that is looked at first, then in order. */
  #next() {
    if (this.#starting) return; // what is started tells of it, and comes back here
    this.#starting = true;
    for (let photo = this.#sendable(); photo; photo = this.#sendable()) photo.send();
    for (let photo = this.#runnable(); photo; photo = this.#runnable()) photo.run(this.#options);
    this.#starting = false;
    const paused = this.photos.filter(({ state, wait }) => wait && ["waiting", "ready"].includes(state));
    if (!paused.length || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      for (const photo of paused) photo.wait = 0;
      this.#next();
    }, Math.min(...paused.map(({ wait }) => wait)));
  }

  /** The first photograph that passes a test, the one that is looked at before all others. */
  #first(test) {
    return this.current && test(this.current) ? this.current : this.photos.find(test);
  }

  #sendable() {
    if (this.photos.filter(({ state }) => state === "uploading").length >= SENT_AT_ONCE) return null;
    return this.#first(({ state, wait }) => state === "waiting" && !wait);
  }

  #runnable() {
    if (this.photos.filter(({ working }) => working).length >= JOBS_AT_ONCE) return null;
    if (this.current?.state === "ready" && this.#later(this.current)) return null; // it goes first all the same
    return this.#first((photo) => photo.state === "ready" && !photo.wait && !photo.asks && !this.#later(photo));
  }

  /** Begin what waited for a request, or for a preview. */
  begin() {
    this.#next();
  }
}
