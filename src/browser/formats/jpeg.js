// JPEG files: pixels through libjpeg-turbo in WebAssembly, and the segments around them, which stay.

import { OutOfMemory } from "../memory.js";
import { words } from "../words.js";
import { checkSize, FormatError } from "./format.js";

const [APP0, APP1, APP2, APP4, APP8, APP11, APP14, COMMENT, TABLES, SCAN] = [0xe0, 0xe1, 0xe2, 0xe4, 0xe8, 0xeb, 0xee, 0xfe, 0xdb, 0xda];
const STANDARD_SUM = 3688; // of the luminance table at quality 50; ITU-T T.81, table K.1
const ROWS = 128;

const starts = (payload, text) => [...text].every((letter, i) => payload[i] === letter.charCodeAt(0));
const joined = (parts) => {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
};

export const isJpeg = (bytes) => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/**
 * What the segments before the pixels say.
 *
 * @param {Uint8Array} bytes
 */
function readSegments(bytes) {
  const kept = []; // whole segments that go into the result
  const profile = [];
  const dropped = new Set();
  const head = { exif: null, icc: null, quality: null, halved: false };
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const length = (bytes[at + 2] << 8) | bytes[at + 3];
    if (marker === SCAN || length < 2) break;
    const segment = bytes.subarray(at, at + 2 + length);
    const payload = segment.subarray(4);
    at += 2 + length;
    if (marker === TABLES && head.quality === null && payload[0] === 0) head.quality = qualityOf(payload);
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      head.halved = payload[5] >= 3 && [0x22, 0x41].includes(payload[7]);
    } else if (marker === APP14 && starts(payload, "Adobe")) continue; // what the encoder makes of colours is its own
    else if (marker === APP0 && starts(payload, "JFIF")) {
      kept.unshift(thumbless(segment));
    } else if (marker === APP0 && starts(payload, "JFXX")) dropped.add("JFIF's thumbnail");
    else if (marker === APP2 && starts(payload, "MPF\0")) dropped.add("the index of further pictures in the file");
    else if (marker === APP2 && starts(payload, "urn:iso:std:iso:ts:21496")) dropped.add("the gain map");
    else if (marker === APP4 && starts(payload, "SCALADO")) dropped.add("Scalado's index of the compressed data");
    else if (marker === APP8 && starts(payload, "SPIFF")) continue;
    else if (marker === APP11 && starts(payload, "JP")) dropped.add("boxes that vouch for the original's pixels");
    else if (marker === COMMENT || (marker >= APP0 && marker <= 0xef)) {
      kept.push(segment);
      if (marker === APP1 && starts(payload, "Exif\0\0")) head.exif ??= payload.subarray(6);
      if (marker === APP2 && starts(payload, "ICC_PROFILE\0")) profile[payload[12] - 1] = payload.subarray(14);
    }
  }
  head.icc = profile.length ? joined(profile.filter(Boolean)) : null;
  return { ...head, kept, dropped: [...dropped] };
}

/** JFIF's segment without its thumbnail, which would show the noise. */
function thumbless(segment) {
  if (!(segment[16] && segment[17])) return segment;
  const result = segment.slice(0, 18);
  result[2] = 0;
  result[3] = 16;
  result[16] = result[17] = 0;
  return result;
}

/** Quality on the scale of the Independent JPEG Group, from the luminance table. */
function qualityOf(payload) {
  if (payload.length < 65) return null;
  const scale = (100 * payload.subarray(1, 65).reduce((sum, value) => sum + value, 0)) / STANDARD_SUM;
  const quality = scale <= 100 ? (200 - scale) / 2 : 5000 / scale;
  return Math.max(1, Math.min(100, Math.round(quality)));
}

const text = (codec, place) => {
  const end = codec.HEAPU8.indexOf(0, place);
  return new TextDecoder().decode(codec.HEAPU8.slice(place, end));
};

/** An error of the codec's, which says as well where its memory ended. */
function failure(codec, sentence) {
  const problem = text(codec, codec._jpeg_problem());
  return /memory/i.test(problem) ? new OutOfMemory() : new FormatError(sentence(problem || "it is no JPEG"));
}

const damaged = (codec) => failure(codec, (problem) => `The file is damaged or cut short (${problem}). Copy it from the camera or card once more.`);
const unwritten = (codec) => failure(codec, (problem) => `The JPEG cannot be written (${problem}).`);

/**
 * @param {object} codec       the module of jpeg.c
 * @param {Uint8Array} bytes
 */
export function decodeJpeg(codec, bytes) {
  const head = readSegments(bytes);
  const source = codec._malloc(bytes.length);
  if (!source) throw new OutOfMemory();
  codec.HEAPU8.set(bytes, source);
  let decoder = 0;
  let rows = 0;
  try {
    decoder = codec._jpeg_decoder(source, bytes.length);
    if (!decoder) throw damaged(codec);
    const [width, height, components] = [codec._jpeg_width(decoder), codec._jpeg_height(decoder), codec._jpeg_components(decoder)];
    if (components === 4) throw new FormatError(words.print);
    checkSize(width, height);
    if (!codec._jpeg_start(decoder)) throw damaged(codec);
    const channels = components === 1 ? 1 : 3;
    const data = new Uint8Array(width * height * channels);
    rows = codec._malloc(ROWS * width * channels);
    if (!rows) throw new OutOfMemory();
    for (let top = 0; top < height; ) {
      const count = codec._jpeg_read(decoder, rows, Math.min(ROWS, height - top));
      if (!count) throw damaged(codec);
      data.set(codec.HEAPU8.subarray(rows, rows + count * width * channels), top * width * channels);
      top += count;
    }
    if (!codec._jpeg_sound(decoder)) throw damaged(codec);
    return { picture: { width, height, channels, data }, head };
  } finally {
    if (decoder) codec._jpeg_decoder_close(decoder);
    codec._free(source);
    if (rows) codec._free(rows);
  }
}

/**
 * A JPEG with the segments of the original.
 *
 * @param {object} codec
 * @param {{width: number, height: number, channels: 1 | 3}} size
 * @param {(top: number, count: number) => Uint8Array} rows
 * @param {object} [head]     of the original: quality, chroma and segments
 * @param {number} [quality]  instead of the original's
 * @returns {Uint8Array}
 */
export function encodeJpeg(codec, { width, height, channels }, rows, head = { kept: [] }, quality = head.quality ?? 95) {
  const encoder = codec._jpeg_encoder(width, height, channels, quality, head.halved ? 1 : 0);
  const place = encoder && codec._malloc(ROWS * width * channels);
  try {
    if (!place) throw new OutOfMemory();
    for (let top = 0; top < height; top += ROWS) {
      const part = rows(top, Math.min(ROWS, height - top));
      codec.HEAPU8.set(part, place);
      if (!codec._jpeg_write(encoder, place, part.length / (width * channels))) throw unwritten(codec);
    }
    const size = codec._jpeg_finish(encoder);
    if (!size) throw unwritten(codec);
    const data = codec._jpeg_data(encoder);
    return dressed(codec.HEAPU8.slice(data, data + size), head.kept);
  } finally {
    if (place) codec._free(place);
    if (encoder) codec._jpeg_encoder_close(encoder);
  }
}

/** An encoded JPEG with the given segments instead of its own JFIF segment. */
function dressed(encoded, kept) {
  if (!kept.length) return encoded;
  const own = encoded[3] === APP0 ? 4 + ((encoded[4] << 8) | encoded[5]) : 2;
  const jfif = kept.some((segment) => segment[1] === APP0 && starts(segment.subarray(4), "JFIF"));
  return joined([encoded.subarray(0, jfif ? 2 : own), ...kept, encoded.subarray(own)]);
}
