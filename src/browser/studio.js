// Photographs at work: files in, pictures to look at, files out. Runs in a worker of the page, and in
// node; the network runs in an engine, which may be another worker (remote_engine.js).

import { memoryFor } from "./engine.js";
import { Denoising, rendered } from "./denoising.js";
import { NEUTRAL, USUAL } from "./image/blending.js";
import { networkSpace } from "./image/colors.js";
import { white } from "./image/picture.js";
import { BLOCK, errorAt } from "./image/error_map.js";
import { sharesOfRow } from "./image/noise_shares.js";
import { readExif, stored, upright } from "./formats/exif.js";
import { FormatError } from "./formats/format.js";
import { decodeJpeg, encodeJpeg, isJpeg } from "./formats/jpeg.js";
import { decodePng, encodePng, isPng } from "./formats/png.js";
import { words } from "./words.js";

const MOST_MEMORY = 2e9; // bytes that the engine's memory may become

/** Thrown where the user stopped the work. */
class Cancelled extends Error {
  name = "AbortError";
}

export class Studio {
  #tools;
  #photos = new Map();
  #jobs = new Map(); // AbortController by the photograph's id

  /**
   * @param {object} tools
   * @param {(model: string) => Promise<object>} tools.engine  an Engine, or what behaves like one
   * @param {() => Promise<object>} tools.jpeg                 the module of jpeg.c
   * @param {() => Promise<object>} tools.work                 a PixelWork
   * @param {() => Promise<object>} tools.errors               of the error map
   */
  constructor(tools) {
    this.#tools = tools;
  }

  #photo(id) {
    const photo = this.#photos.get(id);
    if (!photo) throw new Error("there is no such photograph");
    return photo;
  }

  /**
   * Read a photograph.
   *
   * @param {Uint8Array} bytes
   * @param {string} id  that it goes by
   * @returns {Promise<object>} its id, format, size (upright) and depth
   */
  async open(bytes, id) {
    const { picture, alpha = null, head, format } = await this.#decode(bytes);
    const { orientation, adobe } = readExif(head.exif);
    const { space, shown, remark } = networkSpace(picture, head.icc, adobe);
    if (memoryFor(picture.width, picture.height, "fast") > MOST_MEMORY) throw new FormatError(words.tooWide(picture.width));
    const work = await this.#tools.work();
    const remarks = [...(remark ? [remark] : []), ...(head.dropped ?? []).map(words.dropped)];
    const denoising = new Denoising(picture, space, work);
    this.#photos.set(id, { picture, alpha, head, format, orientation, shown, denoising, neutral: null });
    return { id, format, ...upright(picture, orientation), depth: white(picture) > 255 ? "uint16" : "uint8", remarks };
  }

  async #decode(bytes) {
    if (isJpeg(bytes)) return { ...decodeJpeg(await this.#tools.jpeg(), bytes), format: "jpeg" };
    if (isPng(bytes)) return { ...(await decodePng(bytes)), format: "png" };
    throw new FormatError(bytes.length ? words.unknownFormat : words.empty);
  }

  forget(id) {
    this.stop(id);
    this.#photos.delete(id);
  }

  /** End the work on a photograph; what was there before stays. */
  stop(id) {
    this.#jobs.get(id)?.abort();
  }

  /**
   * Run the network over a photograph.
   *
   * @param {string} model              "default" or "fast"
   * @param {(share: number) => void} [report]
   * @returns {Promise<{seconds: number, remarks: string[], noise: object | null}>}
   */
  async denoise(id, model, report = () => {}) {
    const photo = this.#photo(id);
    const { width, height } = photo.picture;
    if (memoryFor(width, height, model) > MOST_MEMORY) throw new FormatError(words.tooWideForModel(width));
    const job = new AbortController();
    this.stop(id);
    this.#jobs.set(id, job);
    const begun = performance.now();
    try {
      const engine = await this.#tools.engine(model);
      const denoising = photo.denoising.anew();
      await denoising.run(engine, async (share) => {
        report(share);
        await turn();
        if (job.signal.aborted) throw new Cancelled("stopped");
      });
      photo.neutral = rendered(denoising, NEUTRAL);
      photo.denoising = denoising;
      return { seconds: (performance.now() - begun) / 1000, remarks: denoising.remarks, noise: denoising.noise };
    } finally {
      if (this.#jobs.get(id) === job) this.#jobs.delete(id);
    }
  }

  /**
   * Bytes R, G, B of a denoised part, to be looked at, as means of `edge` x `edge` pixels; coordinates of
   * the upright picture.
   */
  async preview(id, { x, y, w, h, edge = 1 }, look, model) {
    const { picture, orientation, shown, denoising } = this.#photo(id);
    const engine = await this.#tools.engine(model);
    if (edge === 1) {
      const part = within(picture, orientation, { x, y, w, h });
      const piece = { ...picture, width: part.w, height: part.h, data: await denoising.part(engine, part, look) };
      return means(piece, orientation, { x: 0, y: 0, width: w, height: h }, 1, shown);
    }
    const size = { width: Math.ceil(w / edge), height: Math.ceil(h / edge), channels: picture.channels };
    const rgb = means(picture, orientation, { x, y, width: w, height: h }, edge, null);
    const small = denoising.anew({ ...size, data: size.channels === 1 ? rgb.filter((_, i) => i % 3 === 0) : rgb });
    await small.run(engine);
    return means({ ...size, data: small.rows(look, 0, size.height) }, 1, { x: 0, y: 0, ...size }, 1, shown);
  }

  /**
   * Bytes R, G, B of a region, as means of `shrink` x `shrink` pixels.
   *
   * @param {"noisy" | "clean" | "explained" | "uncertainty"} layer  explained: the two shares of noise,
   *   255 is all; uncertainty: the distance within which nine of ten true values lie, by the server's scale
   * @param {object} [look]  of the last two
   */
  async region(id, layer, { x, y, w, h }, shrink, look) {
    const photo = this.#photo(id);
    const place = { x, y, width: w, height: h };
    if (layer === "uncertainty") return uncertain(photo, place, shrink, look, await this.#tools.errors());
    if (layer === "explained") return explained(photo, place, shrink, look);
    return means(layer === "noisy" ? photo.picture : photo.neutral, photo.orientation, place, shrink, photo.shown);
  }

  /**
   * The file with a look.
   *
   * @returns {Promise<Blob>}
   */
  async product(id, look, report = () => {}) {
    const { picture, alpha, head, format, denoising } = this.#photo(id);
    if (!denoising.result) throw new Error("it is not denoised yet");
    const rows = (top, count) => {
      report(top / picture.height);
      return denoising.rows(look, top, count);
    };
    if (format === "jpeg") {
      return new Blob([encodeJpeg(await this.#tools.jpeg(), picture, rows, head)], { type: "image/jpeg" });
    }
    return encodePng(picture, rows, { deep: white(picture) > 255, alpha, kept: head.kept });
  }
}

const channel = typeof MessageChannel === "undefined" ? null : new MessageChannel();
const waiting = [];
if (channel) {
  channel.port1.onmessage = () => waiting.shift()?.();
  channel.port1.unref?.();
}

/** Let other messages have their turn; unlike a timer, it is not slowed down in hidden tabs. */
function turn() {
  if (!channel || typeof process !== "undefined") return new Promise((done) => setTimeout(done, 0));
  return new Promise((done) => {
    waiting.push(done);
    channel.port2.postMessage(0);
  });
}

/** A region of the upright picture in the picture of the file. */
function within(picture, orientation, { x, y, w, h }) {
  const at = stored(picture, orientation);
  const [[ax, ay], [bx, by]] = [at(x, y), at(x + w - 1, y + h - 1)];
  return { x: Math.min(ax, bx), y: Math.min(ay, by), w: Math.abs(ax - bx) + 1, h: Math.abs(ay - by) + 1 };
}

/** Where the pixels of an upright region lie: the first, and the steps to the right and down. */
function steps(picture, orientation, x, y) {
  const at = stored(picture, orientation);
  const index = ([column, row]) => row * picture.width + column;
  const first = index(at(x, y));
  return { first, right: index(at(x + 1, y)) - first, down: index(at(x, y + 1)) - first };
}

function means(picture, orientation, { x, y, width, height }, shrink, shown) {
  const { channels, data } = picture;
  const { first, right, down } = steps(picture, orientation, x, y);
  const [columns, rows] = [Math.ceil(width / shrink), Math.ceil(height / shrink)];
  const scale = 255 / white(picture);
  const rgb = new Uint8Array(columns * rows * 3);
  const pixel = new Float64Array(channels);
  for (let row = 0, to = 0; row < rows; row += 1) {
    const high = Math.min(shrink, height - row * shrink);
    for (let column = 0; column < columns; column += 1, to += 3) {
      const wide = Math.min(shrink, width - column * shrink);
      for (let c = 0; c < channels; c += 1) {
        let sum = 0;
        for (let dy = 0; dy < high; dy += 1) {
          let at = (first + (row * shrink + dy) * down + column * shrink * right) * channels + c;
          for (let dx = 0; dx < wide; dx += 1, at += right * channels) sum += data[at];
        }
        pixel[c] = (sum * scale) / (high * wide);
      }
      if (shown) {
        for (let c = 0; c < channels; c += 1) pixel[c] /= 255;
        shown.toSrgb(pixel, 0);
        for (let c = 0; c < channels; c += 1) pixel[c] = 255 * Math.min(1, Math.max(0, pixel[c]));
      }
      for (let c = 0; c < 3; c += 1) rgb[to + c] = Math.round(pixel[channels === 1 ? 0 : c]);
    }
  }
  return rgb;
}

const LEVELS_A_STEP = 10; // grey levels of the map for one step of 8 bits, as on the server

function uncertain(photo, { x, y, width, height }, shrink, look, layers) {
  const { picture, orientation, denoising } = photo;
  const key = JSON.stringify(look);
  if (photo.errors?.of !== denoising || photo.errors.key !== key) photo.errors = { of: denoising, key, blocks: denoising.errors(look, layers) };
  const { blocks } = photo.errors;
  const size = [Math.ceil(picture.height / BLOCK), Math.ceil(picture.width / BLOCK)];
  const [columns, rows] = [Math.ceil(width / shrink), Math.ceil(height / shrink)];
  const at = stored(picture, orientation);
  const scale = 255 * LEVELS_A_STEP * layers.interval[0];
  const rgb = new Uint8Array(columns * rows * 3);
  for (let row = 0, to = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, to += 3) {
      const [px, py] = at(Math.min(x + column * shrink + (shrink >> 1), x + width - 1), Math.min(y + row * shrink + (shrink >> 1), y + height - 1));
      rgb.fill(Math.min(255, Math.round(scale * errorAt(blocks, ...size, px, py))), to, to + 3);
    }
  }
  return rgb;
}

function explained({ picture, orientation, denoising }, { x, y, width, height }, shrink, look = USUAL) {
  const [columns, rows] = [Math.ceil(width / shrink), Math.ceil(height / shrink)];
  const at = stored(picture, orientation);
  const size = [Math.ceil(picture.height / 4), Math.ceil(picture.width / 4)];
  const rgb = new Uint8Array(columns * rows * 3);
  const [last, lowest] = [picture.width - 1, picture.height - 1];
  const pair = new Float32Array(2);
  const cells = denoising.cells(look);
  for (let row = 0, to = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, to += 3) {
      const [px, py] = at(x + column * shrink + (shrink >> 1), y + row * shrink + (shrink >> 1));
      sharesOfRow(cells, ...size, Math.min(Math.max(py, 0), lowest), 1, pair, Math.min(Math.max(px, 0), last));
      rgb[to] = Math.round(255 * pair[0]);
      rgb[to + 1] = Math.round(255 * pair[1]);
    }
  }
  return rgb;
}
