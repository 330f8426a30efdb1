// The page's service without a server: a worker of this browser answers (src/browser/studio.js). The
// same functions as the service's own module, so that the page around them is one.

import { Remote } from "../invdn/remote_engine.js";
import { support } from "../invdn/support.js";
import { sentence } from "./problems.js";

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
const NEUTRAL = { strength: 1, luminance: 1, chroma: 1, detail: 0, look: "natural" };
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

/** Every failure of the worker's as a Problem. */
async function ask(name, values = [], how = {}) {
  try {
    studio ??= new Remote(new Worker(new URL("../invdn/studio_worker.js", import.meta.url)));
    return await studio.call(name, values, how);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw problemOf(error);
  }
}

const MEMORY = "The browser gives this page too little memory for that. Close other tabs, or take a smaller photograph; the command “invdn denoise” needs less.";

function problemOf(error) {
  if (error instanceof Problem) return error;
  if (error.name === "FormatError") return new Problem(415, error.message);
  const memory = error.name === "OutOfMemory" || error instanceof RangeError || /memory|allocation/i.test(error.message);
  return new Problem(500, memory ? MEMORY : sentence(error.message));
}

/** Limits, formats, options with their ranges, qualities. */
export async function describe() {
  if (!support().simd) {
    throw new Problem(500, "This browser is too old: it lacks WebAssembly with SIMD, which Chrome 91, Firefox 89, Safari 16.4 and later have.", 3600);
  }
  const about = await ask("about", [MODELS.fast]);
  ({ pace } = about);
  const threads = about.threads === 1 ? "1 thread" : `${about.threads} threads`;
  return {
    engine: `WebAssembly in this browser, ${threads}`,
    where: `They stay in this browser. The page’s own policy (connect-src 'self') forbids it to send anything elsewhere, and it works offline. About ${Math.max(1, Math.round(pace * costOf("fast") * 1e6))}\u00a0s a megapixel on this machine.`,
    formats: ["jpeg", "png"],
    limits: { bytes: MOST_BYTES, preview_pixels: 512 * 512 },
    options: { ...Object.fromEntries(LOOK.map((name) => [name, share])), look: { enum: ["gentle", "natural", "strong"] } },
    qualities: {
      draft: { self_ensemble: false, num_samples: 1, cost: costOf("draft") / costOf("fast") },
      fast: { self_ensemble: false, num_samples: 1, cost: 1 },
    },
    pace: (pace * costOf("fast")) / 2, // a sample is two passes
  };
}

/** Take a file in; answers a Photo as the API has it. */
export async function upload(file, signal) {
  const bytes = new Uint8Array(await file.arrayBuffer().catch(() => {
    throw new Problem(400, "The file cannot be read any more. Choose it once more.");
  }));
  const size = bytes.length;
  const opened = await ask("open", [bytes], { transfer: [bytes.buffer] });
  if (signal?.aborted) {
    ask("forget", [opened.id]).catch(() => {});
    throw Object.assign(new Error("stopped"), { name: "AbortError" });
  }
  const { id } = opened;
  const links = { rendering: `${id}/noisy`, preview: `${id}/preview` };
  const photo = { ...opened, name: file.name, bytes: size, displayable: true, links, thumbnail: await small(opened) };
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

const known = (list, id) => {
  const found = list.get(id);
  if (!found) throw new Problem(404, "It is not there any more.");
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
  return document_(job);
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
    const told = (progress) => Object.assign(job, { progress });
    const { seconds, remarks } = await ask("denoise", [job.photo.id, MODELS[job.quality]], { told });
    const { width, height, depth } = job.photo;
    job.result = { width, height, depth, seconds, remarks };
  });

const file = (job) =>
  run(job, async () => {
    const told = (progress) => Object.assign(job, { progress });
    const begun = performance.now();
    job.blob = await ask("product", [job.photo.id, job.look], { told });
    job.result = { seconds: (performance.now() - begun) / 1000 };
  });

/** The job as the API has it. */
function document_(job) {
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

export const job = async (id) => document_(known(jobs, id));

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
  await ask("forget", [id]);
}

/** The result as a file: `{blob, name}`. */
export async function result(id) {
  const found = known(jobs, id);
  const made = found.blob ?? (found.blob = await ask("product", [found.photo.id, found.look]));
  const [, stem, suffix = ""] = /^(.+?)(\.[^.]*)?$/.exec(found.photo.name) ?? ["", "photograph", ""];
  return { blob: made.blob, name: `${stem}_denoised${suffix}` };
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

/** The denoised region of a photograph, full size. */
export async function preview(link, place, { quality, ...options }, signal) {
  const look = Object.fromEntries(LOOK.map((name) => [name, options[name] ?? NEUTRAL[name]]));
  const rgb = await ask("preview", [link.split("/")[0], place, look, MODELS[quality ?? "fast"]]);
  signal?.throwIfAborted();
  return rgb;
}

/** A preview has its bytes R, G, B already. */
export const decoded = async (rgb) => rgb;

export const thumbnail = (photo) => photo.thumbnail;
