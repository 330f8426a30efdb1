// The page's service without a server: a worker of this browser answers (src/browser/studio.js). The
// same functions as the service's own module, so that the page around them is one.

import { LOOKS } from "../invdn/image/blending.js";
import { wordFor } from "../invdn/image/noise_estimation.js";
import { Remote } from "../invdn/remote_engine.js";
import { lacking } from "../invdn/support.js";
import * as originals from "../originals.js";
import { NEUTRAL } from "./blend.js";
import { problemInWords } from "./problems.js";
import { language } from "./texts.js";
import { roughly } from "./words.js";

/** What went wrong, in words for people. */
export class Problem extends Error {
  constructor(status, message, waitSeconds = null) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.waitSeconds = waitSeconds;
  }

  /** Nobody answers: the worker has ended. */
  get gone() {
    return false;
  }
}

/** Values as the end of an address; those that are not given are left out. */
export const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

const MODELS = { draft: "fast", fast: "default" };
const LOOK = Object.keys(NEUTRAL);
const share = { minimum: 0, maximum: 1 };
const MOST_BYTES = 400e6;
// Of the network of `default`: that of `fast`, and everything but the network. Measured, docs/browser.md.
const [FAST_COST, RULES] = [0.17, 0.12];
const costOf = (quality) => (quality === "draft" ? FAST_COST : 1) + RULES;

let studio = null;
let pace = 0; // seconds for a pixel of the network of `default`
const photos = new Map();
const jobs = new Map();
let count = 0;
const inWords = (english, german) => (language === "de" ? german : english);

/** Every failure of the worker's as a Problem. */
async function ask(name, values = [], how = {}) {
  try {
    studio ??= begun();
    return await studio.call(name, values, how);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problemOf(error);
  }
}

function begun() {
  const remote = new Remote(new Worker(new URL("../invdn/studio_worker.js", import.meta.url)));
  if (new URLSearchParams(location.search).has("webgpu")) remote.call("begin", [{ webgpu: true }]); // a trial
  return remote;
}

class TooLittleMemory extends Problem {
  /** @param {boolean} begun  a photograph needs it; else the page itself, which asks again unasked */
  constructor(begun) {
    super(500, begun ? inWords(
      "The browser gives this page too little memory for that. Close other tabs, or take a smaller photograph; the command “invdn denoise” needs less.",
      "Der Browser gibt dieser Seite zu wenig Speicher dafür. Schließen Sie andere Tabs, oder nehmen Sie ein kleineres Foto; der Befehl „invdn denoise“ braucht weniger.",
    ) : inWords(
      "The browser gives this page too little memory to begin. Close other tabs: it tries again by itself. The command “invdn denoise” needs less.",
      "Der Browser gibt dieser Seite zu wenig Speicher, um zu beginnen. Schließen Sie andere Tabs: sie versucht es von selbst wieder. Der Befehl „invdn denoise“ braucht weniger.",
    ));
  }
}

function problemOf(error) {
  if (error instanceof Problem) return error;
  if (error.name === "FormatError") return new Problem(415, problemInWords({ detail: error.message }));
  if (error.name === "OutOfMemory" || error instanceof RangeError || /memory|allocation/i.test(error.message)) return new TooLittleMemory(true);
  return new Problem(500, problemInWords({ detail: error.message }));
}

/** Limits, formats, options with their ranges, qualities. */
export async function describe() {
  const lack = lacking();
  if (lack) throw new Problem(500, problemInWords({ detail: lack }), 3600);
  const about = await ask("about", [MODELS.fast]).catch((problem) => {
    throw problem instanceof TooLittleMemory ? new TooLittleMemory(false) : problem;
  });
  ({ pace } = about);
  const worker = await navigator.serviceWorker?.getRegistration().catch(() => null);
  originals.tidy().catch(() => {});
  return {
    engine: (about.instructions === "webgpu" ? "WebGPU, " : "") + inWords("WebAssembly in this browser, ", "WebAssembly in diesem Browser, ") + (about.threads === 1 ? "1 thread" : `${about.threads} threads`),
    where: whereabouts(about.threads, Boolean(worker)),
    formats: ["jpeg", "png"],
    limits: { bytes: MOST_BYTES, preview_pixels: 512 * 512 },
    options: { ...Object.fromEntries(LOOK.map((name) => [name, share])), look: { enum: Object.keys(LOOKS) } },
    qualities: {
      draft: { self_ensemble: false, num_samples: 1, cost: costOf("draft") / costOf("fast") },
      fast: { self_ensemble: false, num_samples: 1, cost: 1 },
    },
    pace: (pace * costOf("fast")) / 2, // a sample is two passes
  };
}

/** Where photographs go (nowhere), and what is less here than elsewhere. */
function whereabouts(threads, offline) {
  const time = roughly(Math.max(1, pace * costOf("fast") * 1e6)).replace(" ", "\u00a0");
  const parts = [
    inWords("They stay in this browser. The page’s own policy (connect-src 'self') forbids it to send anything elsewhere.",
      "Sie bleiben in diesem Browser. Die Seite selbst verbietet sich (connect-src 'self'), etwas anderswohin zu senden."),
  ];
  const alone = threads === 1 && navigator.hardwareConcurrency > 1;
  if (offline) parts.push(inWords("It works offline.", "Sie geht auch ohne Netz."));
  else if (isSecureContext) {
    parts.push(inWords("It does not work offline: this window lets it keep nothing (a private window, or cookies are blocked).",
      "Ohne Netz geht sie nicht: dieses Fenster lässt sie nichts behalten (ein privates, oder Cookies sind gesperrt)."));
  }
  parts.push(inWords(`About ${time} a megapixel on this machine.`, `Etwa ${time} je Megapixel auf diesem Rechner.`));
  if (!isSecureContext) {
    parts.push(inWords("Its address does not begin with https, so one processor does it all, and it does not work offline.",
      "Ihre Adresse beginnt nicht mit https, daher macht ein Prozessor alles, und ohne Netz geht sie nicht."));
  } else if (alone) {
    parts.push(inWords("One processor does it all, since this window allows no threads: a normal window of a current browser is faster.",
      "Ein Prozessor macht alles, da dieses Fenster keine Threads erlaubt: ein normales Fenster eines aktuellen Browsers ist schneller."));
  }
  return parts.join(" ");
}

/** Take a file in; answers a Photo as the API has it. */
export async function upload(file, signal) {
  const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");
  const photo = await taken(file, id);
  if (signal?.aborted) {
    forget(id).catch(() => {});
    throw Object.assign(new Error("stopped"), { name: "AbortError" });
  }
  originals.keep(id, file).catch(() => {});
  return photo;
}

/** A photograph that was taken in, by this page or before it was loaded anew. */
export async function photo(id) {
  if (photos.has(id)) return photos.get(id);
  const file = await originals.find(id);
  if (!file) throw gone();
  return taken(file, id);
}

async function taken(file, id) {
  const bytes = new Uint8Array(await file.arrayBuffer().catch(() => {
    throw new Problem(400, inWords("The file cannot be read any more. Choose it once more.", "Die Datei ist nicht mehr zu lesen. Wählen Sie sie noch einmal."));
  }));
  const size = bytes.length;
  const opened = await ask("open", [bytes, id], { transfer: [bytes.buffer] });
  const links = { rendering: `${id}/noisy`, preview: `${id}/preview` };
  const photo = { ...opened, file, name: file.name, bytes: size, displayable: true, links, thumbnail: await small(opened) };
  photos.set(id, photo);
  return photo;
}

/** Address of a small picture. */
async function small({ id, width, height }) {
  const shrink = Math.max(1, Math.ceil(Math.max(width, height) / 160));
  const rgb = await ask("region", [id, "noisy", { x: 0, y: 0, w: width, h: height }, shrink]);
  const [columns, rows] = [Math.ceil(width / shrink), Math.ceil(height / shrink)];
  const canvas = new OffscreenCanvas(columns, rows);
  const picture = new ImageData(columns, rows);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    picture.data.set(rgb.subarray(from, from + 3), to);
    picture.data[to + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
}

const gone = () => new Problem(404, inWords("It is not there any more.", "Es ist nicht mehr da."));

const known = (list, id) => {
  const found = list.get(id);
  if (!found) throw gone();
  return found;
};

export async function start(photoId, options) {
  const photo = known(photos, photoId);
  const look = Object.fromEntries(LOOK.map((name) => [name, options[name] ?? NEUTRAL[name]]));
  const id = `job-${(count += 1)}`;
  const quality = options.quality ?? "fast";
  const job = { id, photo, look, quality, state: "queued", progress: 0, begun: 0, problem: null, result: null, blob: null };
  jobs.set(id, job);
  const whole = LOOK.every((name) => look[name] === NEUTRAL[name]);
  line = line.then(() => (whole ? network(job) : file(job)));
  return asDocument(job);
}

let line = Promise.resolve(); // one job after the other

async function run(job, work) {
  if (job.state !== "queued") return;
  Object.assign(job, { state: "running", begun: performance.now() });
  try {
    await work();
    if (job.state === "running") Object.assign(job, { state: "done", progress: 1 });
  } catch (error) {
    if (error.name === "AbortError") job.state = "cancelled";
    else Object.assign(job, { state: "failed", problem: problemOf(error) });
  }
}

const network = (job) =>
  run(job, async () => {
    const report = (progress) => Object.assign(job, { progress });
    const { seconds, remarks, noise } = await ask("denoise", [job.photo.id, MODELS[job.quality]], { report });
    const { width, height, depth } = job.photo;
    const found = noise ? { noise_level: noise.level, noise_word: wordFor(noise.level) } : {};
    job.result = { width, height, depth, seconds, ...found, warnings: [...job.photo.remarks, ...remarks] };
  });

const file = (job) =>
  run(job, async () => {
    const report = (progress) => Object.assign(job, { progress });
    const begun = performance.now();
    job.blob = await ask("product", [job.photo.id, job.look], { report });
    job.result = { seconds: (performance.now() - begun) / 1000 };
  });

/** The job as the API has it. */
function asDocument(job) {
  const { width, height } = job.photo;
  const all = pace * width * height * costOf(job.quality);
  const passed = job.begun ? (performance.now() - job.begun) / 1000 : 0;
  const left = job.progress > 0.05 ? (passed / job.progress) * (1 - job.progress) : Math.max(0, all - passed);
  return {
    id: job.id, state: job.state, progress: job.progress, seconds_left: job.state === "running" ? left : null, position: null,
    options: { quality: job.quality, self_ensemble: false, num_samples: 1, ...job.look },
    result: job.result, problem: job.problem && { detail: job.problem.message },
    links: { rendering: `${job.photo.id}/clean/${job.id}`, explained: `${job.photo.id}/explained/${job.id}`, uncertainty: `${job.photo.id}/uncertainty/${job.id}` },
  };
}

export const job = async (id) => asDocument(known(jobs, id));

/** Stop a job, or remove a finished one. */
export async function stop(id) {
  const found = known(jobs, id);
  if (found.state === "running") await ask("stop", [found.photo.id]);
  else if (found.state === "queued") found.state = "cancelled";
  else jobs.delete(id);
}

export async function forget(id) {
  const photo = known(photos, id);
  photos.delete(id);
  URL.revokeObjectURL(photo.thumbnail);
  originals.remove(id).catch(() => {});
  await ask("forget", [id]);
}

/** The result as a file: `{blob, name}`. */
export async function result(id) {
  const found = known(jobs, id);
  const made = found.blob ?? (found.blob = await ask("product", [found.photo.id, found.look]));
  const [, stem, suffix = ""] = /^(.+?)(\.[^.]*)?$/.exec(found.photo.name) ?? ["", "photograph", ""];
  return { blob: made, name: `${stem}_denoised${suffix}` };
}

/** The look in a query. */
const lookOf = (values) => {
  const named = LOOK.map((name) => [name, values.get(name)]).filter(([, value]) => value !== null);
  const read = named.map(([name, value]) => [name, Number.isNaN(Number(value)) ? value : Number(value)]);
  return { ...NEUTRAL, ...Object.fromEntries(read) };
};

/** Bytes R, G, B of a region, as means of `shrink` x `shrink` pixels; `link` names what is shown. */
export async function region(link, place, shrink, signal) {
  const [path, asked] = link.split("?");
  const [id, layer] = path.split("/");
  known(photos, id);
  const rgb = await ask("region", [id, layer, place, shrink, lookOf(new URLSearchParams(asked))]);
  signal?.throwIfAborted();
  return rgb;
}

/** A denoised region of a photograph, as means of `edge` x `edge` pixels. */
export async function preview(link, place, { quality, ...options }, signal) {
  const look = Object.fromEntries(LOOK.map((name) => [name, options[name] ?? NEUTRAL[name]]));
  const rgb = await ask("preview", [link.split("/")[0], place, look, MODELS[quality ?? "fast"]]);
  signal?.throwIfAborted();
  return rgb;
}

/** A preview has its bytes R, G, B already. */
export const decoded = async (rgb) => rgb;

export const thumbnail = (photo) => photo.thumbnail;
