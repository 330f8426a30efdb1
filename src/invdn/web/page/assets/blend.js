// The sliders: from the photograph and its denoised version to the picture, pixel by pixel.
//
// With n the noisy pixel, d the denoised one and k the share of the change that noise explains:
//
//   r = d - n      y = luma of r      c = r - y
//   n + strength * (luminance * (1 - detail * (1 - k)) * y + chroma * c)
//
// k is the share of the change of brightness that is noise, and K that of the change of colour. The
// strength is a number, or "auto": k for y and K for c, both of the look; the gentle one leaves a part of y.
//
// This is the formula of the command, which works on the samples of the file; on the 8 bits that are
// shown here both may differ by one step, in rare pixels by two.

/** The denoised photograph as it stands: what the layers show. */
export const NEUTRAL = Object.freeze({ strength: 1, luminance: 1, chroma: 1, detail: 0, look: "natural" });

/** What the command does unasked. */
export const USUAL = Object.freeze({ ...NEUTRAL, strength: "auto" });

/** Looks of automatic strength, and the share of the change of brightness that each makes (invdn.options.LOOKS). */
export const LOOKS = Object.freeze({ gentle: 0.7, natural: 1, strong: 1 });

// Luma of gamma-encoded RGB, ITU-R BT.601.
const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/** Whether a look shows the denoised photograph as it stands, whatever the noisy one is. */
export const isWhole = (explained, { strength, luminance, chroma, detail, look }) =>
  luminance === 1 && chroma === 1 && (detail === 0 || !explained) &&
  (strength === 1 || (strength === "auto" && !explained && LOOKS[look] === 1));

/**
 * @param noisy      RGB bytes of the photograph
 * @param clean      RGB bytes of its denoised version
 * @param explained  k and K as RGB bytes, 255 = 1: brightness in red, colour in green; null counts
 *                   all that was removed as noise
 * @param look       `{strength, luminance, chroma, detail, look}`
 * @param wide       RGBA bytes to be written, as many pixels
 */
export function blend(noisy, clean, explained, look, wide) {
  if (isWhole(explained, look)) {
    for (let from = 0, to = 0; from < clean.length; from += 3, to += 4) {
      wide[to] = clean[from];
      wide[to + 1] = clean[from + 1];
      wide[to + 2] = clean[from + 2];
      wide[to + 3] = 255;
    }
    return;
  }
  const { strength, luminance, chroma, detail } = look;
  const share = LOOKS[look.look];
  for (let from = 0, to = 0; from < noisy.length; from += 3, to += 4) {
    const red = clean[from] - noisy[from];
    const green = clean[from + 1] - noisy[from + 1];
    const blue = clean[from + 2] - noisy[from + 2];
    const inGrey = explained === null ? 1 : explained[from] / 255;
    const inColour = explained === null ? 1 : explained[from + 1] / 255;
    const automatic = strength === "auto";
    const colour = (automatic ? inColour : strength) * chroma;
    const taken = (automatic ? share * inGrey : strength) * luminance * (1 - detail * (1 - inGrey));
    const grey = (taken - colour) * (RED * red + GREEN * green + BLUE * blue);
    // A clamped array rounds and clips.
    wide[to] = noisy[from] + colour * red + grey;
    wide[to + 1] = noisy[from + 1] + colour * green + grey;
    wide[to + 2] = noisy[from + 2] + colour * blue + grey;
    wide[to + 3] = 255;
  }
}

// Anchors of matplotlib's "inferno" (CC0), as in invdn.evaluation.pictures.
const ANCHORS = [
  [0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164],
];
const RAMP = Array.from({ length: 256 }, (_, value) => {
  const place = (value / 255) * (ANCHORS.length - 1);
  const left = Math.min(Math.floor(place), ANCHORS.length - 2);
  return ANCHORS[left].map((low, channel) => low + (ANCHORS[left + 1][channel] - low) * (place - left));
});

/** Lay the uncertainty (grey RGB bytes) over RGBA bytes; where it is small, the picture is dimmed only. */
export function heat(uncertainty, wide) {
  for (let from = 0, to = 0; from < uncertainty.length; from += 3, to += 4) {
    const colour = RAMP[uncertainty[from]];
    for (let channel = 0; channel < 3; channel += 1) wide[to + channel] = 0.3 * wide[to + channel] + 0.7 * colour[channel];
  }
}
