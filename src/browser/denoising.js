// One photograph through the network, and looks laid over the result:
//
//   picture ── mend ── rows in the network's colours ── engine ── clean
//      └── noise estimate ───────────────┐                          │
//                    shares of cells ◄───┴──────────────────────────┘
//                         └── blend, by look ── rows in the photograph's colours
//
// As the command does it: src/invdn/inference/pipeline.py.

import { blend, isNothing, isWhole, keepsStars, lookOf, needsShares } from "./image/blending.js";
import { fromNetwork, toNetwork } from "./image/colors.js";
import { AROUND as BLOCKS_AROUND, BLOCK, errorOfBlocks } from "./image/error_map.js";
import { mend } from "./image/defects.js";
import { estimateNoise, warningOf } from "./image/noise_estimation.js";
import { CELL, logitsOfCells, REACH, sharesOfRow, trustIn } from "./image/noise_shares.js";
import { AROUND } from "./image/pixel_work.js";
import { floatRows, mirrored, rounded, white, withData, withoutEqualColours } from "./image/picture.js";
import { AROUND as STARS_AROUND, keepStars } from "./image/stars.js";

/** Pixels that the picture is mirrored around its border before the network sees it. */
const BORDER = 8;
const BAND = 256; // rows whose shares are found together
// Larger pictures of 8 bits keep the network's result in steps of 16, between these.
const LARGE = 24e6; // pixels
const [LOW, HIGH] = [-0.25, 1.25];
const STEPS = 65535 / (HIGH - LOW);

/** What the network made of a picture: float32, or half of that where a picture is large. */
class Result {
  #data;
  #fine;
  #size;

  constructor(picture) {
    const { width, height, channels } = picture;
    this.#size = { width, channels };
    this.stride = width * channels;
    this.#fine = width * height <= LARGE || white(picture) > 255;
    this.#data = this.#fine ? new Float32Array(height * this.stride) : new Uint16Array(height * this.stride);
  }

  /**
   * Take in a row of the network's.
   *
   * @param {number} row
   * @param {Float32Array} planes  of which the row is a part
   * @param {number} from          where the row begins in the first of them
   * @param {number} plane         values from one plane to the next
   * @param {number} count         of planes; their mean is that of a grey picture
   */
  put(row, planes, from, plane, count) {
    const { width, channels } = this.#size;
    const data = this.#data;
    const line = row * this.stride;
    for (let c = 0; c < channels; c += 1) {
      for (let x = 0, to = line + c; x < width; x += 1, to += channels) {
        let value = planes[from + c * plane + x];
        if (channels === 1) {
          for (let other = 1; other < count; other += 1) value += planes[from + other * plane + x];
          value /= count;
        }
        data[to] = this.#fine ? value : Math.round((Math.min(HIGH, Math.max(LOW, value)) - LOW) * STEPS);
      }
    }
  }

  /** Rows as float32. */
  rows(top, count) {
    const part = this.#data.subarray(top * this.stride, (top + count) * this.stride);
    return this.#fine ? part.slice() : Float32Array.from(part, (value) => value / STEPS + LOW);
  }
}

export class Denoising {
  /**
   * @param {import("./image/picture.js").Picture} picture  as it is in the file
   * @param {object | null} space  of its colours, null: sRGB
   * @param {import("./image/pixel_work.js").PixelWork} work
   */
  constructor(picture, space, work) {
    this.original = picture;
    this.work = work;
    // Grey in three colours is denoised as grey, and stays grey.
    this.seen = withoutEqualColours(picture);
    this.neutral = this.seen !== picture;
    this.whole = space;
    this.space = this.neutral ? (space?.grey ?? null) : space;
    this.remarks = [];
    this.result = null;
    this.logits = null;
    this.shown = { towards: NaN, cells: null };
  }

  /** The same of a picture, or of this one once more. */
  anew(picture = this.original) {
    return new Denoising(picture, this.whole, this.work);
  }

  /** Rows as the network sees them, float32. */
  #rows(picture, top, count) {
    return toNetwork(this.space, floatRows(picture, top, count), picture.channels);
  }

  /**
   * @param {import("./engine.js").Engine} engine
   * @param {(share: number) => Promise<void> | void} [between]
   */
  async run(engine, between) {
    const { picture, found } = mend(this.seen);
    this.remarks = found;
    this.noise = this.#estimate(picture);
    const outside = warningOf(this.noise);
    if (outside) this.remarks.unshift(outside);
    this.#begin(picture);
    await this.#through(engine, between);
  }

  #estimate = (picture) => estimateNoise(picture, (values) => toNetwork(this.space, values, picture.channels));

  #begin(picture) {
    const { width, height } = picture;
    this.mended = picture;
    this.result = new Result(picture);
    this.logits = new Float64Array(2 * Math.ceil(height / CELL) * Math.ceil(width / CELL));
    this.shared = 0; // rows whose logits are known
  }

  async #through(engine, between = () => {}) {
    const rows = (top, count) => this.#rows(this.mended, top, count);
    await through(engine, this.mended, rows, this.result, async (share, finished) => {
      this.#findShares(finished);
      await between(share);
    });
  }

  /** The logits of all cells that the finished rows decide. */
  #findShares(finished) {
    const { width, height, channels } = this.mended;
    const columns = 2 * Math.ceil(width / CELL);
    while (this.shared < height && Math.min(height, this.shared + BAND + REACH) <= finished) {
      const top = this.shared;
      const [first, last] = [Math.max(0, top - REACH), Math.min(height, top + BAND + REACH)];
      const size = { width, height: last - first, channels };
      const logits = logitsOfCells(this.work, this.#rows(this.mended, first, last - first), this.result.rows(first, last - first), size, this.noise);
      const skipped = ((top - first) / CELL) * columns;
      const wanted = Math.ceil(Math.min(BAND, height - top) / CELL) * columns;
      this.logits.set(logits.subarray(skipped, skipped + wanted), (top / CELL) * columns);
      this.shared += BAND;
    }
  }

  /** Two shares of each cell, how much of the change is noise, as a look has it. */
  cells(look) {
    const towards = this.noise ? lookOf(look)[0] + trustIn(this.noise) : 0;
    if (this.shown.towards !== towards) this.shown = { towards, cells: this.work.shares(this.logits, towards) };
    return this.shown.cells;
  }

  /** The same of each pixel of rows. */
  shares(look, top, count) {
    const { width, height } = this.seen;
    const cells = this.cells(look);
    const shares = new Float32Array(count * width * 2);
    for (let y = 0; y < count; y += 1) {
      sharesOfRow(cells, Math.ceil(height / CELL), Math.ceil(width / CELL), top + y, width, shares.subarray(y * width * 2, (y + 1) * width * 2));
    }
    return shares;
  }

  /**
   * How far a result is probably from the truth, for blocks of 8x8 pixels: 1 is white.
   *
   * @param {import("./image/blending.js").Look} look
   * @param {Record<string, number[]>} layers  of the error map
   */
  errors(look, layers) {
    const { width, height, channels } = this.seen;
    const columns = Math.ceil(width / BLOCK);
    const errors = new Float32Array(columns * Math.ceil(height / BLOCK));
    for (let top = 0; top < height; top += BAND) {
      const first = Math.max(0, top - BLOCKS_AROUND);
      const count = Math.min(height, top + BAND + BLOCKS_AROUND + 1) - first;
      const before = this.#rows(this.mended, first, count);
      const after = isNothing(look) ? before : this.result.rows(first, count);
      if (!isNothing(look) && !isWhole(look)) blend(before, after, needsShares(look) ? this.shares(look, first, count) : null, look, channels);
      const blocks = errorOfBlocks(before, after, { width, height: count, channels }, this.noise, layers);
      const skipped = ((top - first) / BLOCK) * columns;
      const wanted = Math.ceil(Math.min(BAND, height - top) / BLOCK) * columns;
      errors.set(blocks.subarray(skipped, skipped + wanted), (top / BLOCK) * columns);
    }
    return errors;
  }

  /**
   * Rows of the result, in the samples of the photograph.
   *
   * @param {import("./image/blending.js").Look} look
   */
  rows(look, top, count) {
    const { width, data } = this.original;
    const { channels } = this.seen;
    const stride = width * this.original.channels;
    if (isNothing(look)) return data.slice(top * stride, (top + count) * stride);
    const noisy = floatRows(this.mended, top, count);
    const seen = this.space ? toNetwork(this.space, noisy.slice(), channels) : noisy;
    let clean = this.result.rows(top, count);
    if (!isWhole(look)) blend(seen, clean, needsShares(look) ? this.shares(look, top, count) : null, look, channels);
    if (keepsStars(look)) {
      const before = Math.min(STARS_AROUND, top);
      const around = this.#rows(this.mended, top - before, Math.min(this.seen.height, top + count + STARS_AROUND) - top + before);
      keepStars(clean, around, { width, channels, count, before });
    }
    const dithers = look.strength === "auto" && white(this.original) === 255;
    const blended = dithers && this.space ? clean.slice() : clean;
    fromNetwork(this.space, clean, noisy, channels);
    if (dithers) {
      const before = Math.min(AROUND, top);
      const means = this.result.rows(top - before, Math.min(this.seen.height, top + count + AROUND) - top + before);
      clean = this.work.dithered(clean, blended, seen, means, { width, channels, top, count, before });
    }
    const most = white(this.original);
    const out = new data.constructor(count * stride);
    if (!this.neutral) for (let i = 0; i < out.length; i += 1) out[i] = rounded(Math.fround(clean[i] * most), most);
    else for (let i = 0; i < clean.length; i += 1) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = rounded(Math.fround(clean[i] * most), most);
    return out;
  }

  /**
   * A part denoised by itself, without what is around it but for `REACH` pixels: the change of the
   * network in full, as samples of the photograph.
   */
  async part(engine, { x, y, w, h }, look) {
    const { width, height, channels, data } = this.original;
    const left = Math.max(0, x - REACH) & ~3;
    const top = Math.max(0, y - REACH) & ~3;
    const right = Math.min(width, x + w + REACH);
    const bottom = Math.min(height, y + h + REACH);
    const window = new data.constructor((right - left) * (bottom - top) * channels);
    for (let row = top; row < bottom; row += 1) {
      const from = (row * width + left) * channels;
      window.set(data.subarray(from, from + (right - left) * channels), (row - top) * (right - left) * channels);
    }
    const piece = this.anew({ width: right - left, height: bottom - top, channels, data: window });
    piece.noise = this.noise ??= this.#estimate(this.seen);
    piece.#begin(piece.seen);
    await piece.#through(engine);
    const rows = piece.rows(look, y - top, h);
    const out = new data.constructor(w * h * channels);
    for (let row = 0; row < h; row += 1) {
      const from = (row * (right - left) + x - left) * channels;
      out.set(rows.subarray(from, from + w * channels), row * w * channels);
    }
    return out;
  }
}

/**
 * A picture through the engine, mirrored to sides that the network takes. While the engine has a piece,
 * the one before is taken in, so that neither waits for the other.
 *
 * @param {(top: number, count: number) => Float32Array} rows  of the picture, as the network sees them
 * @param {Result} result                                      takes in what the network makes of it
 * @param {(share: number, finished: number) => Promise<void> | void} between  hears how much is done, and
 *   how many rows
 */
async function through(engine, { width, height, channels }, rows, result, between) {
  const padded = (side) => Math.ceil((side + 2 * BORDER) / engine.scale) * engine.scale;
  const [high, wide] = [padded(height), padded(width)];
  const columns = Int32Array.from({ length: wide }, (_, x) => mirrored(x - BORDER, width));
  const read = (top, count) => {
    const planes = new Float32Array(engine.channels * count * wide);
    for (let y = 0; y < count; y += 1) {
      const row = rows(mirrored(top + y - BORDER, height), 1);
      for (let c = 0; c < engine.channels; c += 1) {
        const to = (c * count + y) * wide;
        const from = channels === 1 ? 0 : c;
        for (let x = 0; x < wide; x += 1) planes[to + x] = row[columns[x] * channels + from];
      }
    }
    return planes;
  };
  const write = ({ top, count, planes }) => {
    for (let y = 0; y < count; y += 1) {
      const line = top + y - BORDER;
      if (line >= 0 && line < height) result.put(line, planes, y * wide + BORDER, count * wide, engine.channels);
    }
  };
  const session = await engine.session(high, wide);
  let finished = 0;
  const finish = async (pushed, end) => {
    for (const part of await pushed) {
      write(part);
      finished = part.top + part.count;
    }
    await between(end / high, Math.min(height, Math.max(0, finished - BORDER)));
  };
  try {
    let last = null;
    for (let top = 0; top < high; top += session.piece) {
      const count = Math.min(session.piece, high - top);
      const pushed = Promise.resolve(session.push(read(top, count)));
      pushed.catch(() => {}); // it is heard below, unless the work ends before
      if (last) await finish(...last);
      last = [pushed, top + count];
    }
    await finish(...last);
  } finally {
    session.close();
  }
}

/** The picture with the rows of a look in it. */
export function rendered(denoising, look) {
  const { width, height, channels, data } = denoising.original;
  const result = new data.constructor(data.length);
  for (let top = 0; top < height; top += BAND) {
    result.set(denoising.rows(look, top, Math.min(BAND, height - top)), top * width * channels);
  }
  return withData(denoising.original, result);
}
