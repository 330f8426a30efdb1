// The way of colours to the network and back: ICC profiles of curves and matrices (Display P3, Adobe
// RGB, grey), as in src/invdn/photo/color, where it is explained.

// sRGB's curve with the constants of ICC's own profile (IEC 61966-2-1), and its matrix to XYZ under D50.
const parametric = (gamma = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0) => {
  const bend = (a * d + b) ** gamma + e; // where the two parts meet; from the upper part
  const linear = gamma === 1 && a === 1 && !b && !c && !d && !e && !f;
  return {
    light(stored) {
      if (linear) return stored;
      const size = Math.abs(stored);
      const value = d > 0 && size < d ? c * size + f : Math.max(a * size + b, 0) ** gamma + e;
      return stored < 0 ? -value : value;
    },
    stored(light) {
      if (linear) return light;
      const size = Math.abs(light);
      const lower = d > 0 && size < bend;
      const value = lower ? (c ? (size - f) / c : 0) : (Math.max(size - e, 0) ** (1 / gamma) - b) / a;
      return light < 0 ? -value : value;
    },
  };
};
const SRGB = parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045);
const ADOBE_CURVE = parametric(563 / 256); // Adobe RGB (1998) Color Image Encoding, 4.3.4.2

const D50 = [0.9642, 1, 0.8249]; // ICC.1:2022, 7.2.16
const D65 = [0.3127, 0.329];
const BRADFORD = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
const SRGB_PRIMARIES = [[0.64, 0.33], [0.3, 0.6], [0.15, 0.06], D65];
const ADOBE_PRIMARIES = [[0.64, 0.33], [0.21, 0.71], [0.15, 0.06], D65];
const [SAMPLES, ALIKE] = [17, 2 / 255];
const [OUTSIDE, FAR, LOOKED_AT] = [1e-3, 0.01, 1 << 18];

const times = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));
const applied = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
const determinant = ([[a, b, c], [d, e, f], [g, h, i]]) => a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
export function inverse(m) {
  const [[a, b, c], [d, e, f], [g, h, i]] = m;
  const det = determinant(m);
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det));
}
const xyz = ([x, y]) => [x / y, 1, (1 - x - y) / y];

/** Linear RGB of primaries and a white to XYZ under D50 (SMPTE RP 177-1993, Bradford). */
function toPcs(primaries) {
  const columns = [0, 1, 2].map((row) => primaries.slice(0, 3).map((point) => xyz(point)[row]));
  const gains = applied(inverse(columns), xyz(primaries[3]));
  const own = columns.map((row) => row.map((value, k) => value * gains[k]));
  const [there, here] = [applied(BRADFORD, D50), applied(BRADFORD, xyz(primaries[3]))];
  const scaled = BRADFORD.map((row, i) => row.map((value) => (value * there[i]) / here[i]));
  return times(times(inverse(BRADFORD), scaled), own);
}
const FROM_PCS = inverse(toPcs(SRGB_PRIMARIES));

const greySpace = (curve) => ({
  toSrgb(v, at) {
    v[at] = SRGB.stored(curve.light(v[at]));
  },
  fromSrgb(v, at) {
    v[at] = curve.stored(SRGB.light(v[at]));
  },
});

/** A colour space: both functions work in place, on one pixel of `channels` values at `at`. */
function matrixSpace(curves, matrix) {
  const toLinear = times(FROM_PCS, matrix);
  const fromLinear = inverse(toLinear);
  const [t, f] = [toLinear.flat(), fromLinear.flat()];
  const grey = greySpace(curves[1]); // of pixels whose three colours are equal
  const own = {
    grey,
    toSrgb(v, at) {
      for (let k = 0; k < 3; k += 1) v[at + k] = SRGB.stored(curves[k].light(v[at + k]));
    },
    fromSrgb(v, at) {
      for (let k = 0; k < 3; k += 1) v[at + k] = curves[k].stored(SRGB.light(v[at + k]));
    },
  };
  return {
    own,
    grey,
    toSrgb(v, at) {
      const r = curves[0].light(v[at]);
      const g = curves[1].light(v[at + 1]);
      const b = curves[2].light(v[at + 2]);
      for (let k = 0; k < 3; k += 1) v[at + k] = SRGB.stored(t[3 * k] * r + t[3 * k + 1] * g + t[3 * k + 2] * b);
    },
    fromSrgb(v, at) {
      const r = SRGB.light(v[at]);
      const g = SRGB.light(v[at + 1]);
      const b = SRGB.light(v[at + 2]);
      for (let k = 0; k < 3; k += 1) v[at + k] = curves[k].stored(f[3 * k] * r + f[3 * k + 1] * g + f[3 * k + 2] * b);
    },
  };
}

/** Values at equal distances over [0, 1], joined by straight lines and continued by the last one. */
function table(values) {
  const last = values.length - 1;
  const slope = Math.max((values[last] - values[last - 1]) * last, 1e-3);
  return {
    light(stored) {
      const size = Math.abs(stored);
      const place = size * last;
      const below = Math.min(Math.floor(place), last - 1);
      const value = place >= last ? values[last] + (size - 1) * slope : values[below] + (values[below + 1] - values[below]) * (place - below);
      return stored < 0 ? -value : value;
    },
    stored(light) {
      const size = Math.abs(light);
      let [low, high] = [0, last];
      let value;
      if (size >= values[last]) value = 1 + (size - values[last]) / slope;
      else if (size <= values[0]) value = 0;
      else {
        while (high - low > 1) {
          const middle = (low + high) >> 1;
          if (values[middle] <= size) low = middle;
          else high = middle;
        }
        value = (low + (size - values[low]) / (values[high] - values[low])) / last;
      }
      return light < 0 ? -value : value;
    },
  };
}

class ProfileError extends Error {}

function curve(view, start) {
  const kind = view.getUint32(start);
  const fixed = (at) => view.getInt32(at) / 65536;
  if (kind === 0x70617261) { // "para"
    const type = view.getUint16(start + 8);
    const names = ["g", "gab", "gabc", "gabcd", "gabcdef"][type];
    if (!names) throw new ProfileError("a curve of an unknown kind");
    const p = Object.fromEntries([...names].map((name, k) => [name, fixed(start + 12 + 4 * k)]));
    const { g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0 } = p;
    if (!(g >= 0.1 && g <= 10 && a > 0)) throw new ProfileError("its curve is none");
    if (type === 0) return parametric(g);
    return type < 3 ? parametric(g, a, b, 0, Math.max(-b / a, 0), c, c) : parametric(g, a, b, c, d, e, f);
  }
  const count = view.getUint32(start + 8);
  if (count === 0) return parametric();
  if (count === 1) {
    const gamma = view.getUint16(start + 12) / 256;
    if (!(gamma >= 0.1 && gamma <= 10)) throw new ProfileError("its curve is none");
    return parametric(gamma);
  }
  const values = Float64Array.from({ length: count }, (_, i) => view.getUint16(start + 12 + 2 * i) / 65535);
  if (values.some((value, i) => i && value < values[i - 1]) || values[count - 1] - values[0] < 0.5) throw new ProfileError("its curve does not grow");
  return table(values);
}

/**
 * What an ICC profile says: `{kind, curves, matrix, tables}`.
 *
 * @param {Uint8Array} icc
 */
function readProfile(icc) {
  const view = new DataView(icc.buffer, icc.byteOffset, icc.byteLength);
  const text = (at, length) => String.fromCharCode(...icc.subarray(at, at + length));
  if (text(36, 4) !== "acsp") throw new ProfileError("no profile");
  const kind = text(16, 4).trim();
  const tags = new Map();
  for (let k = 0; k < Math.min(view.getUint32(128), 200); k += 1) tags.set(text(132 + 12 * k, 4), view.getUint32(136 + 12 * k));
  const tables = tags.has("A2B0");
  if (kind === "GRAY" && tags.has("kTRC")) return { kind, curves: [curve(view, tags.get("kTRC"))] };
  if (kind === "RGB" && ["rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC"].every((tag) => tags.has(tag))) {
    const columns = ["r", "g", "b"].map((c) => [0, 1, 2].map((k) => view.getInt32(tags.get(`${c}XYZ`) + 8 + 4 * k) / 65536));
    const matrix = [0, 1, 2].map((row) => columns.map((column) => column[row]));
    if (Math.abs(determinant(matrix)) < 1e-4) throw new ProfileError("its primaries lie on one line");
    return { kind, curves: ["r", "g", "b"].map((c) => curve(view, tags.get(`${c}TRC`))), matrix };
  }
  if (!tables) throw new ProfileError("it describes no colours");
  return { kind, curves: [], tables };
}

/** Whether a space is sRGB up to what its makers disagree about. */
function isSrgb(space, channels) {
  const pixel = new Float64Array(channels);
  const axis = Array.from({ length: SAMPLES }, (_, i) => i / (SAMPLES - 1));
  const alike = (values) => {
    pixel.set(values);
    space.toSrgb(pixel, 0);
    return values.every((value, k) => Math.abs(pixel[k] - value) < ALIKE);
  };
  if (channels === 1) return axis.every((x) => alike([x]));
  return axis.every((r) => axis.every((g) => axis.every((b) => alike([r, g, b]))));
}

/** Whether some of a photograph's colours lie outside sRGB's gamut. */
function leavesSrgb(space, { width, height, data }) {
  const step = Math.max(1, Math.floor(Math.sqrt(Math.floor((width * height) / LOOKED_AT))));
  const top = data.BYTES_PER_ELEMENT === 1 ? 255 : 65535;
  const pixel = new Float64Array(3);
  let [outside, all] = [0, 0];
  for (let y = step >> 1; y < height; y += step) {
    for (let x = step >> 1; x < width; x += step) {
      for (let k = 0; k < 3; k += 1) pixel[k] = data[(y * width + x) * 3 + k] / top;
      space.toSrgb(pixel, 0);
      all += 1;
      if (pixel.some((value) => Math.abs(value - 0.5) > 0.5 + FAR)) outside += 1;
    }
  }
  return outside / all > OUTSIDE;
}

/**
 * How the colours of a photograph go to the network.
 *
 * @param {import("./picture.js").Picture} picture
 * @param {Uint8Array | null} icc  its profile
 * @param {boolean} adobe          EXIF's mark of Adobe RGB
 * @returns {{space: object | null, shown: object | null, remark: string | null}} the space that the
 *   network sees, and the one that a screen of sRGB shows; null: nothing to convert
 */
export function networkSpace(picture, icc, adobe = false) {
  const { channels } = picture;
  let space = null;
  let remark = null;
  try {
    if (icc) {
      const { kind, curves, matrix } = readProfile(icc);
      if (channels === 1) {
        if (!curves.length) remark = "Its colour profile is of another kind: taken for sRGB and kept as it is.";
        else space = greySpace(curves[curves.length >> 1]);
      } else if (kind !== "RGB") remark = "Its colour profile is of another kind: taken for sRGB and kept as it is.";
      else if (!matrix) remark = "Its colour profile is made of tables, which this page cannot read: taken for sRGB and kept as it is.";
      else space = matrixSpace(curves, matrix);
    } else if (adobe && channels === 3) space = matrixSpace([ADOBE_CURVE, ADOBE_CURVE, ADOBE_CURVE], toPcs(ADOBE_PRIMARIES));
  } catch {
    remark = "Its colour profile is damaged: taken for sRGB and kept as it is.";
  }
  if (!space || isSrgb(space, channels)) return { space: null, shown: null, remark };
  const shown = space;
  if (space.own && leavesSrgb(space, picture)) space = isSrgb(space.own, 3) ? null : space.own;
  return { space, shown, remark };
}

const clip = (value) => (value < 0 ? 0 : value > 1 ? 1 : value);

/** What the network sees of pixels: sRGB, in [0, 1]; in place. */
export function toNetwork(space, values, channels) {
  if (!space) return values;
  for (let at = 0; at < values.length; at += channels) space.toSrgb(values, at);
  for (let i = 0; i < values.length; i += 1) values[i] = clip(values[i]);
  return values;
}

/**
 * The denoised pixels in the photograph's own colours, in place of `clean`.
 *
 * @param {Float32Array} clean   in the colours of the network
 * @param {Float32Array} noisy   in the photograph's
 */
export function fromNetwork(space, clean, noisy, channels) {
  if (!space) return clean;
  const [seen, back] = [new Float64Array(channels), new Float64Array(channels)];
  for (let at = 0; at < clean.length; at += channels) {
    for (let k = 0; k < channels; k += 1) seen[k] = noisy[at + k];
    space.toSrgb(seen, 0);
    for (let k = 0; k < channels; k += 1) back[k] = seen[k] + (clean[at + k] - clip(seen[k]));
    space.fromSrgb(back, 0);
    space.fromSrgb(seen, 0);
    for (let k = 0; k < channels; k += 1) clean[at + k] = noisy[at + k] + (back[k] - seen[k]);
  }
  return clean;
}
