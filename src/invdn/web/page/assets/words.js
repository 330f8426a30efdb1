// Numbers and states in words.

/** `0.42` as `42 %`. */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** A zoom: `33 %`, `12.5 %`, `1600 %`. */
export const zoomed = (zoom) => `${zoom < 0.2 ? Math.round(zoom * 1000) / 10 : Math.round(zoom * 100)} %`;

export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  let unit = 0;
  let value = count;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A time as one would say it: `8 s`, `2 min 30 s`, `25 min`, `1 h 5 min`. */
export function duration(seconds) {
  const s = Math.max(1, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 600) return s % 60 < 5 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 60)} min ${s % 60 - (s % 5)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

export const megapixels = (count) => `${count < 1e7 ? (count / 1e6).toFixed(1) : Math.round(count / 1e6)} megapixels`;

const DEPTHS = { uint8: "8 bit", uint16: "16 bit", float32: "32 bit float" };

/** `4000 × 3000, 16 bit TIFF, 12 MB` of a Photo of the service. */
export const facts = ({ width, height, depth, format, bytes: size }) =>
  [`${width} × ${height}`, `${DEPTHS[depth] ?? depth} ${format.toUpperCase()}`, bytes(size)].join(", ");

/** What a photograph is doing, in a word or two for the filmstrip. */
export function state(photo) {
  switch (photo.state) {
    case "waiting": return "Waiting";
    case "uploading": return "Reading";
    case "queued": return "Queued";
    case "running": return percent(photo.progress);
    case "done": return "Done";
    case "failed": return "Failed";
    case "refused": return "Refused";
    default: return photo.result ? "Done" : "Stopped";
  }
}

/** What was found: the noise in a word, and what automatic strength makes of it. */
export function noise({ noise_word: word, noise_level: level, strength_found: strength }) {
  const found = word ? `; ${word} noise, ${level.toFixed(1)} of 255` : "";
  return typeof strength === "number" ? `${found}; auto strength ${percent(strength)}` : found;
}

/** The same in a sentence for the panel. */
export function sentence(photo) {
  switch (photo.state) {
    case "waiting": return photo.wait ? "The service is busy; trying again shortly" : "Waiting for its turn";
    case "uploading": return "Reading the photograph";
    case "queued": return photo.position ? `${photo.position} before it in the queue` : "About to start";
    case "running": {
      const left = photo.secondsLeft === null ? "" : `, about ${duration(photo.secondsLeft)} left`;
      return `Denoising, ${percent(photo.progress)}${left}`;
    }
    case "done": return `Denoised in ${duration(photo.result.result.seconds)}${noise(photo.result.result)}`;
    case "failed": case "refused": return "";
    default: return photo.result ? "Stopped; this is the earlier result" : "Stopped";
  }
}
