// Pictures in memory: samples of 8 or 16 bits, one channel or three side by side, and windows of them.

/** Luma of gamma-encoded RGB, ITU-R BT.601. */
export const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/**
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {1 | 3} channels
 * @property {Uint8Array | Uint16Array} data  rows of pixels
 */

/** The stored value of white. */
export const white = ({ data }) => (data.BYTES_PER_ELEMENT === 1 ? 255 : 65535);

/** The same picture with other samples. */
export const withData = ({ width, height, channels }, data) => ({ width, height, channels, data });

/** A place from -infinity to infinity, folded back into a side of `size` pixels; the edge is not repeated. */
export function mirrored(place, size) {
  if (size === 1) return 0;
  const period = 2 * size - 2;
  const folded = ((place % period) + period) % period;
  return Math.min(folded, period - folded);
}

/** The whole number nearest to a value from 0 to white; halves go to the even one, as in numpy. */
export function rounded(value, top) {
  if (!(value > 0)) return 0;
  if (value >= top) return top;
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Rows of a picture as float32 with white at 1: `rows * width * channels` values. */
export function floatRows(picture, top, rows) {
  const stride = picture.width * picture.channels;
  const part = picture.data.subarray(top * stride, (top + rows) * stride);
  const scale = white(picture);
  const values = new Float32Array(part.length);
  for (let i = 0; i < part.length; i += 1) values[i] = part[i] / scale;
  return values;
}

/** A picture of three colours that are equal everywhere as one of grey; any other as it is. */
export function withoutEqualColours(picture) {
  const { width, height, channels, data } = picture;
  if (channels === 1) return picture;
  for (let i = 0; i < data.length; i += 3) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return picture;
  const grey = new data.constructor(width * height);
  for (let i = 0; i < grey.length; i += 1) grey[i] = data[3 * i];
  return { width, height, channels: 1, data: grey };
}
