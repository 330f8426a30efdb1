// Numbers and states in words.

import { number, t } from "./texts.js";

/** `0.42` as `42 %`. */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** A zoom: `33 %`, `12.5 %`, `1600 %`. */
export const zoomed = (zoom) => (zoom < 0.2 ? `${number(zoom * 100, 1)} %` : percent(zoom));

export function bytes(count) {
  const units = [t("bytes"), "kB", "MB", "GB"];
  let unit = 0;
  let value = count;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${number(value, value < 10 && unit ? 1 : 0)} ${units[unit]}`;
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

/** An estimate, which is no better than two digits: `16 s`, `2 min`, `40 min`. */
export function roughly(seconds) {
  if (seconds < 20) return duration(seconds);
  if (seconds < 60) return duration(Math.round(seconds / 5) * 5);
  if (seconds < 600) return duration(Math.round(seconds / 30) * 30);
  return duration(Math.round(seconds / 300) * 300);
}

const DEPTHS = { uint8: "bits8", uint16: "bits16", float32: "bits32" };

/** `4000 × 3000, 16 bit TIFF, 12 MB` of a Photo of the service. */
export const facts = ({ width, height, depth, format, bytes: size }) =>
  [`${width} × ${height}`, `${t(DEPTHS[depth])} ${format.toUpperCase()}`, bytes(size)].join(", ");

const STATES = {
  waiting: "sWaiting", uploading: "sUploading", ready: "sReady", queued: "sQueued", done: "sDone", failed: "sFailed", refused: "sRefused",
};

/** What a photograph is doing, in a word or two for the filmstrip. */
export function state(photo) {
  if (photo.state === "running") return percent(photo.progress);
  if (photo.state === "stopped") return photo.result ? t("sDone") : t("sStopped");
  return t(STATES[photo.state]);
}

/** The same in a sentence for the panel. */
export function stateInWords(photo) {
  if (photo.silent && photo.wait) return t("waitingForService");
  switch (photo.state) {
    case "waiting": return photo.wait ? t("busy") : t("waiting");
    case "uploading": return t("uploading");
    case "ready": return photo.wait ? t("busy") : photo.asks ? t("ready") : photo.previewing ? t("previewing") : t("waiting");
    case "queued": return photo.position ? t("queuedBehind", { count: photo.position }) : t("queued");
    case "running": {
      const left = photo.secondsLeft === null ? "" : `, ${t("left", { time: roughly(photo.secondsLeft) })}`;
      return t("running", { percent: percent(photo.progress) }) + left;
    }
    case "done": return t("done", { time: duration(photo.result.result.seconds) });
    case "failed": return t("sFailed");
    case "refused": return t("sRefused");
    default: return photo.result ? t("stoppedEarlier") : t("stopped");
  }
}
