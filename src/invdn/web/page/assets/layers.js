// Pictures of the server in pieces: 512 x 512 samples, fetched at the scale they are looked at.
//
//   level 0   every pixel             a tile covers  512 px of the photograph
//   level 1   means of 2 x 2 pixels                 1024 px
//   level n   means of 2^n x 2^n                512 * 2^n px; the last level is a single tile
//
// So a photograph of any size costs as much as the screen shows.

import { region } from "./service.js";

export const TILE = 512;
const AT_ONCE = 4; // requests
const WAITING = 48; // more than a screen of tiles: what is older has moved out of sight
const KEPT = 96; // tiles of a layer, 75 MB of RGB
const PATIENCE = 3000; // ms before a tile that failed is asked for again

/** The coarsest level of a photograph. */
export const levels = (width, height) => Math.max(0, Math.ceil(Math.log2(Math.max(width, height) / TILE)));

/** Where a tile lies in the photograph, and how many samples it has. */
export function tileRegion(width, height, level, column, row) {
  const step = TILE << level;
  const [x, y] = [column * step, row * step];
  const [w, h] = [Math.min(step, width - x), Math.min(step, height - y)];
  return { x, y, w, h, columns: Math.ceil(w / (1 << level)), rows: Math.ceil(h / (1 << level)) };
}

/** Least recently used tiles go first. */
export class Shelf {
  #items = new Map();
  constructor(limit) {
    this.limit = limit;
  }
  get(key) {
    const item = this.#items.get(key);
    if (item !== undefined) {
      this.#items.delete(key);
      this.#items.set(key, item);
    }
    return item;
  }
  set(key, item) {
    this.#items.set(key, item);
    if (this.#items.size > this.limit) this.#items.delete(this.#items.keys().next().value);
  }
  clear() {
    this.#items.clear();
  }
}

const line = []; // last asked, first served: what is on the screen now
let running = 0;

/** Whether tiles are on their way. */
export const awaiting = () => running > 0 || line.length > 0;

let held = false;

/** Let tiles wait (or no longer): something else comes first. */
export function hold(wanted) {
  held = wanted;
  serve();
}

function serve() {
  while (!held && running < AT_ONCE && line.length) {
    running += 1;
    line.pop()(() => {
      running -= 1;
      serve();
    });
  }
}

/** One picture: the photograph, its denoised version, or a map of either. */
export class Layer {
  #tiles = new Shelf(KEPT);
  #asked = new Map();
  #failed = new Map();
  #ending = new AbortController();
  #unseeable = false; // its pixels are damaged: asking again helps nobody

  /**
   * @param link     address of the rendering
   * @param width    of the upright photograph
   * @param height   of the upright photograph
   * @param told     called with null after a tile has come, with a Problem after one has not
   */
  constructor(link, width, height, told) {
    Object.assign(this, { link, width, height, told });
  }

  /** The samples of a tile, or null while they are on their way. */
  tile(level, column, row) {
    const key = `${level}/${column}/${row}`;
    const there = this.#tiles.get(key);
    if (there) return there;
    if (!this.#unseeable && !this.#asked.has(key) && !(this.#failed.get(key) > performance.now())) this.#ask(key, level, column, row);
    return null;
  }

  #ask(key, level, column, row) {
    const task = (ended) => this.#fetch(key, tileRegion(this.width, this.height, level, column, row), level, ended);
    this.#asked.set(key, task);
    line.push(task);
    if (line.length > WAITING) line.shift().dropped?.();
    task.dropped = () => this.#asked.delete(key);
    serve();
  }

  async #fetch(key, place, level, ended) {
    let problem = null;
    try {
      const bytes = await region(this.link, place, 1 << level, this.#ending.signal);
      if (bytes.length !== place.columns * place.rows * 3) throw new Error(`a tile of ${bytes.length} bytes`);
      this.#tiles.set(key, bytes);
    } catch (error) {
      problem = error;
      this.#failed.set(key, performance.now() + PATIENCE);
      this.#unseeable ||= error.status === 422;
    }
    this.#asked.delete(key);
    ended();
    if (problem?.name !== "AbortError") this.told(problem);
  }

  close() {
    this.#ending.abort();
    this.#tiles.clear();
  }
}

/** The photograph with the regions in it that have been denoised ahead of the rest. */
export class Previews {
  #patches = [];
  constructor(noisy) {
    this.noisy = noisy;
  }

  get regions() {
    return this.#patches;
  }

  /** Whether a region lies within one that is there, with samples of `edge` or finer. */
  covers(region, edge) {
    return this.#patches.some((p) => p.edge <= edge && within(region, p));
  }

  /** @param patch `{x, y, w, h, edge, rgb}`, whose samples are means of `edge` x `edge` pixels */
  add(patch) {
    // a coarser one of the same place has served
    this.#patches = this.#patches.filter((p) => p.edge <= patch.edge || !within(p, patch));
    this.#patches.push(patch);
    if (this.#patches.length > 12) this.#patches.shift();
  }

  tile(level, column, row) {
    const below = this.noisy.tile(level, column, row);
    if (!this.#patches.length) return below;
    const place = tileRegion(this.noisy.width, this.noisy.height, level, column, row);
    if (!below && !this.#patches.some((patch) => within(place, patch))) return null;
    const mixed = below?.slice() ?? new Uint8Array(place.columns * place.rows * 3);
    for (const patch of this.#patches) paste(mixed, place, patch, 1 << level);
    return mixed;
  }
}

const within = (inner, outer) =>
  outer.x <= inner.x && outer.y <= inner.y && inner.x + inner.w <= outer.x + outer.w && inner.y + inner.h <= outer.y + outer.h;

/** Write into a tile the samples of a patch that lie in both, as means of `shrink` x `shrink` pixels. */
function paste(tile, place, patch, shrink) {
  if (patch.edge > 1) enlarge(tile, place, patch, shrink);
  else average(tile, place, patch, shrink);
}

/** The same for a patch of means: the sample in the middle of each square, and between samples a blend of them. */
function enlarge(tile, place, patch, shrink) {
  const { edge, rgb } = patch;
  const [columns, rows] = [Math.ceil(patch.w / edge), Math.ceil(patch.h / edge)];
  const [left, top] = [Math.max(0, Math.ceil((patch.x - place.x) / shrink)), Math.max(0, Math.ceil((patch.y - place.y) / shrink))];
  const right = Math.min(place.columns, Math.ceil((patch.x + patch.w - place.x) / shrink));
  const bottom = Math.min(place.rows, Math.ceil((patch.y + patch.h - place.y) / shrink));
  const split = (at, count) => {
    const value = Math.min(Math.max(at / edge - 0.5, 0), count - 1);
    const low = Math.min(Math.floor(value), Math.max(0, count - 2));
    return [low, Math.min(low + 1, count - 1), Math.round((value - low) * 256)];
  };
  const places = [];
  for (let column = left; column < right; column += 1) places.push(split(place.x + (column + 0.5) * shrink - patch.x, columns));
  // A row of samples is widened once, in units of 1/256, and serves all rows of the tile beside it.
  const wide = [0, 1].map(() => ({ row: -1, values: new Uint16Array(places.length * 3) }));
  const widened = (row) => {
    const one = wide[row % 2];
    if (one.row === row) return one.values;
    one.row = row;
    const start = row * columns * 3;
    let to = 0;
    for (const [west, east, across] of places) {
      const [w, e] = [start + west * 3, start + east * 3];
      for (let channel = 0; channel < 3; channel += 1, to += 1) one.values[to] = rgb[w + channel] * (256 - across) + rgb[e + channel] * across;
    }
    return one.values;
  };
  for (let row = top; row < bottom; row += 1) {
    const [upper, lower, down] = split(place.y + (row + 0.5) * shrink - patch.y, rows);
    const [above, below, up] = [widened(upper), widened(lower), 256 - down];
    let to = (row * place.columns + left) * 3;
    for (let from = 0; from < above.length; from += 1, to += 1) tile[to] = (above[from] * up + below[from] * down + 32768) >> 16;
  }
}

function average(tile, place, patch, shrink) {
  const left = Math.max(0, Math.ceil((patch.x - place.x) / shrink));
  const top = Math.max(0, Math.ceil((patch.y - place.y) / shrink));
  const right = Math.min(place.columns, Math.floor((patch.x + patch.w - place.x) / shrink));
  const bottom = Math.min(place.rows, Math.floor((patch.y + patch.h - place.y) / shrink));
  for (let row = top; row < bottom; row += 1) {
    for (let column = left; column < right; column += 1) {
      const x = place.x + column * shrink - patch.x;
      const y = place.y + row * shrink - patch.y;
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 0;
        for (let dy = 0; dy < shrink; dy += 1) {
          for (let dx = 0; dx < shrink; dx += 1) sum += patch.rgb[((y + dy) * patch.w + x + dx) * 3 + channel];
        }
        tile[(row * place.columns + column) * 3 + channel] = Math.round(sum / (shrink * shrink));
      }
    }
  }
}
