// PNG files of 8 and 16 bits (ISO/IEC 15948:2004): grey and colour, with or without alpha, palettes,
// interlaced or not; the zlib streams are the browser's own. Chunks that describe the photograph stay.

import { checkSize, FormatError } from "./format.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
// What goes into the result as it was; iCCP, sRGB, gAMA, cHRM and cICP say what the colours mean.
const KEPT = ["iCCP", "sRGB", "gAMA", "cHRM", "cICP", "pHYs", "eXIf", "tEXt", "zTXt", "iTXt", "tIME"];
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

export const isPng = (bytes) => SIGNATURE.every((value, i) => bytes[i] === value);

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const damaged = (what) => new FormatError(`The file is damaged or cut short (${what}). Copy it from its source once more.`);

async function squeezed(bytes, Stream) {
  const answer = new Response(new Blob([bytes]).stream().pipeThrough(new Stream("deflate")));
  return new Uint8Array(await answer.arrayBuffer());
}

function chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) throw damaged("a part of it is missing");
    if (checksum(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) throw damaged(`its part ${name} is not as it was written`);
    chunks.push({ name, data: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, at + 12 + length) });
    at += 12 + length;
    if (name === "IEND") return chunks;
  }
  throw damaged("its end is missing");
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<{picture: object, alpha: Uint8Array | Uint16Array | null, head: object}>}
 */
export async function decodePng(bytes) {
  const chunks = chunksOf(bytes);
  const [{ name, data: ihdr }] = chunks;
  if (name !== "IHDR") throw damaged("it has no header");
  const view = new DataView(ihdr.buffer, ihdr.byteOffset, ihdr.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, type, interlaced] = [ihdr[8], ihdr[9], ihdr[12] === 1];
  if (!(type in CHANNELS) || ![1, 2, 4, 8, 16].includes(depth) || !width || !height) throw damaged("its header makes no sense");
  checkSize(width, height);
  const find = (wanted) => chunks.find((chunk) => chunk.name === wanted);
  let raw;
  try {
    raw = await squeezed(new Blob(chunks.filter((chunk) => chunk.name === "IDAT").map(({ data }) => data)), DecompressionStream);
  } catch {
    throw damaged("its pixels cannot be unpacked");
  }
  const samples = unfiltered(raw, { width, height, depth, channels: CHANNELS[type], interlaced });
  const palette = find("PLTE")?.data;
  const opacity = find("tRNS")?.data;
  const { colours, alpha } = apart(samples, { width, height, depth, type, palette, opacity });
  const profile = find("iCCP")?.data;
  const icc = profile ? await squeezed(profile.subarray(profile.indexOf(0) + 2), DecompressionStream).catch(() => new Uint8Array(0)) : null;
  const kept = chunks.filter((chunk) => KEPT.includes(chunk.name)).map(({ whole }) => whole);
  const channels = type === 0 || type === 4 ? 1 : 3;
  return { picture: { width, height, channels, data: colours }, alpha, head: { icc, exif: find("eXIf")?.data ?? null, kept } };
}

/** Samples of 8 or 16 bits as they lie in the file, row by row. */
function unfiltered(raw, { width, height, depth, channels, interlaced }) {
  const samples = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  const unit = Math.max(1, (depth * channels) >> 3); // bytes of a pixel
  let at = 0;
  for (const [left, top, along, down] of interlaced ? PASSES : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - left) / along);
    const rows = Math.ceil((height - top) / down);
    if (columns <= 0 || rows <= 0) continue;
    const stride = Math.ceil((columns * channels * depth) / 8);
    let above = new Uint8Array(stride);
    for (let y = 0; y < rows; y += 1) {
      if (at + 1 + stride > raw.length) throw damaged("rows of it are missing");
      const filter = raw[at];
      const line = raw.subarray(at + 1, at + 1 + stride);
      at += 1 + stride;
      undo(filter, line, above, unit);
      above = line;
      for (let x = 0; x < columns; x += 1) {
        const to = ((top + y * down) * width + left + x * along) * channels;
        for (let c = 0; c < channels; c += 1) {
          const place = x * channels + c;
          if (depth === 16) samples[to + c] = (line[2 * place] << 8) | line[2 * place + 1];
          else if (depth === 8) samples[to + c] = line[place];
          else samples[to + c] = (line[(place * depth) >> 3] >> (8 - depth - ((place * depth) & 7))) & ((1 << depth) - 1);
        }
      }
    }
  }
  return samples;
}

function undo(filter, line, above, unit) {
  if (filter > 4) throw damaged("its rows make no sense");
  if (filter === 0) return;
  for (let i = 0; i < line.length; i += 1) {
    const a = i >= unit ? line[i - unit] : 0;
    const b = above[i];
    const c = i >= unit ? above[i - unit] : 0;
    line[i] += filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c);
  }
}

function paeth(a, b, c) {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

/** Colours and alpha apart; palettes and fewer bits than 8 spread. */
function apart(samples, { width, height, depth, type, palette, opacity }) {
  const count = width * height;
  if (type === 3) {
    if (!palette) throw damaged("its palette is missing");
    const colours = new Uint8Array(3 * count);
    const alpha = opacity ? new Uint8Array(count) : null;
    for (let i = 0; i < count; i += 1) {
      for (let c = 0; c < 3; c += 1) colours[3 * i + c] = palette[3 * samples[i] + c];
      if (alpha) alpha[i] = samples[i] < opacity.length ? opacity[samples[i]] : 255;
    }
    return { colours, alpha };
  }
  const channels = CHANNELS[type];
  const own = channels > 2 ? 3 : 1;
  const spread = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  if (channels === own) {
    const clear = opacity && Array.from({ length: own }, (_, c) => (opacity[2 * c] << 8) | opacity[2 * c + 1]);
    let alpha = null;
    if (clear) {
      alpha = new samples.constructor(count).fill(depth === 16 ? 65535 : 255);
      for (let i = 0; i < count; i += 1) if (clear.every((value, c) => samples[i * own + c] === value)) alpha[i] = 0;
    }
    return { colours: spread === 1 ? samples : samples.map((value) => value * spread), alpha };
  }
  const colours = new samples.constructor(own * count);
  const alpha = new samples.constructor(count);
  for (let i = 0; i < count; i += 1) {
    for (let c = 0; c < own; c += 1) colours[own * i + c] = samples[channels * i + c];
    alpha[i] = samples[channels * i + own];
  }
  return { colours, alpha };
}

function chunk(name, data) {
  const whole = new Uint8Array(12 + data.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i += 1) whole[4 + i] = name.charCodeAt(i);
  whole.set(data, 8);
  view.setUint32(8 + data.length, checksum(whole.subarray(4, 8 + data.length)));
  return whole;
}

/**
 * A PNG of the samples' depth, with the chunks of the original.
 *
 * @param {{width: number, height: number, channels: 1 | 3}} size
 * @param {(top: number, count: number) => Uint8Array | Uint16Array} rows
 * @param {{deep: boolean, alpha?: Uint8Array | Uint16Array | null, kept?: Uint8Array[]}} how
 */
export async function encodePng({ width, height, channels }, rows, { deep, alpha = null, kept = [] }) {
  const all = channels + (alpha ? 1 : 0);
  const unit = all * (deep ? 2 : 1);
  const stride = width * unit;
  const packer = new CompressionStream("deflate");
  const packed = new Response(packer.readable).arrayBuffer();
  const writer = packer.writable.getWriter();
  let above = new Uint8Array(stride);
  for (let top = 0; top < height; top += 64) {
    const count = Math.min(64, height - top);
    const values = rows(top, count);
    const lines = new Uint8Array(count * (1 + stride));
    for (let y = 0; y < count; y += 1) {
      const line = new Uint8Array(stride);
      for (let x = 0, to = 0; x < width; x += 1) {
        for (let c = 0; c < all; c += 1) {
          const value = c < channels ? values[(y * width + x) * channels + c] : alpha[(top + y) * width + x];
          if (deep) line[to++] = value >> 8;
          line[to++] = value & 255;
        }
      }
      filtered(line, above, unit, lines.subarray(y * (1 + stride), (y + 1) * (1 + stride)));
      above = line;
    }
    await writer.write(lines);
  }
  await writer.close();
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head[8] = deep ? 16 : 8;
  head[9] = (channels === 3 ? 2 : 0) + (alpha ? 4 : 0);
  return new Blob([Uint8Array.from(SIGNATURE), chunk("IHDR", head), ...kept, chunk("IDAT", new Uint8Array(await packed)), chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

/** A row under the filter whose sizes are the least in sum, the usual guess. */
function filtered(line, above, unit, to) {
  let best = Infinity;
  const trial = new Uint8Array(line.length);
  for (let filter = 0; filter < 5; filter += 1) {
    let sum = 0;
    for (let i = 0; i < line.length; i += 1) {
      const a = i >= unit ? line[i - unit] : 0;
      const b = above[i];
      const c = i >= unit ? above[i - unit] : 0;
      const guess = filter === 0 ? 0 : filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c);
      trial[i] = line[i] - guess;
      sum += trial[i] < 128 ? trial[i] : 256 - trial[i];
    }
    if (sum < best) {
      best = sum;
      to[0] = filter;
      to.set(trial, 1);
    }
  }
}
