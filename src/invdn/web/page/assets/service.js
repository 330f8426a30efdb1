// The service behind the page: every request in one place, every failure as a Problem.

import { problemInWords } from "./problems.js";
import { t } from "./texts.js";

const ROOT = new URL("api/v1/", document.baseURI);
const OWN = { "X-Requested-With": "InvDN" }; // no other site's page can send it

/** What went wrong, in words for people. `status` is 0 where no answer came at all. */
export class Problem extends Error {
  constructor(status, message, waitSeconds = null) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.waitSeconds = waitSeconds;
  }

  /** Nobody answered: the service has ended, or the machine is asleep. */
  get gone() {
    return this.status === 0;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), { ...options, headers: { ...OWN, ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, t("silent"));
  }
  if (answer.ok) return answer;
  const own = answer.headers.get("Content-Type")?.startsWith("application/problem+json");
  if (!own) throw inFront(answer.status);
  const wait = Number(answer.headers.get("Retry-After"));
  throw new Problem(answer.status, problemInWords(await answer.json().catch(() => ({}))), wait || null);
}

/** What a server in front of the service says without it: that it does not answer, or that a file is too large. */
function inFront(status) {
  if ([502, 503, 504].includes(status)) return new Problem(0, t("silent"));
  return new Problem(status, status === 413 ? t("proxyLimit") : t("unknownError", { status }));
}

export const query = (values) => {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
};

const json = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** Whether the service has a token, and whether this page has shown it. */
export const session = async () => (await ask("session")).json();

/** Show the token once. */
export const enter = async (token) => (await ask("session", json({ token }))).json();

/** Limits, formats, options with their ranges, qualities. */
export const describe = async () => (await ask("service")).json();

/** Hand a file over; answers the Photo of the API. */
export async function upload(file, signal) {
  const type = file.type || "application/octet-stream";
  const options = { method: "POST", body: file, headers: { "Content-Type": type }, signal };
  return (await ask(`photos${query({ name: file.name })}`, options)).json();
}

export const photo = async (id) => (await ask(`photos/${id}`)).json();

export const start = async (photo, options) =>
  (await ask(`jobs${query({ photo, ...options })}`, { method: "POST" })).json();

export const job = async (id) => (await ask(`jobs/${id}`)).json();

/** Stop a job, or remove a finished one. */
export const stop = (id) => ask(`jobs/${id}`, { method: "DELETE", keepalive: true });

export const forget = (id) => ask(`photos/${id}`, { method: "DELETE", keepalive: true });

/** The result as a file: `{blob, name}`. */
export async function result(id) {
  const answer = await ask(`jobs/${id}/result`);
  const given = answer.headers.get("Content-Disposition") ?? "";
  const name = /filename\*=UTF-8''([^;]+)/i.exec(given)?.[1];
  return { blob: await answer.blob(), name: name ? decodeURIComponent(name) : "denoised" };
}

/** Where a browser fetches results of several jobs as one file. */
export const archive = (ids) => new URL(`jobs/archive?${ids.map((id) => `id=${encodeURIComponent(id)}`).join("&")}`, ROOT).href;

/** A picture of a result that can be copied. */
export const picture = async (job) => (await ask(`${job.links.rendering}${query({ format: "png" })}`)).blob();

/** Bytes R, G, B of a region, as means of `shrink` x `shrink` pixels; `link` names what is shown. */
export async function region(link, { x, y, w, h }, shrink, signal) {
  const place = query({ x, y, w, h, shrink, format: "raw" });
  const answer = await ask(link + (link.includes("?") ? place.replace("?", "&") : place), { signal });
  return new Uint8Array(await answer.arrayBuffer());
}

/** Whether the page has a service worker (sw.js) that keeps it for the time without the service. */
export const installs = true;

/** A denoised region of a photograph, as means of `edge` x `edge` pixels. */
export const preview = (link, { x, y, w, h, edge }, options, signal) =>
  ask(`${link}${query({ x, y, w, h, shrink: edge, ...options })}`, { signal }).then((answer) => answer.blob());

/** Bytes R, G, B of a picture without a colour profile, as they are in the file. */
export async function decoded(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = picture;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  const wide = context.getImageData(0, 0, width, height).data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < wide.length; from += 4, to += 3) {
    rgb[to] = wide[from];
    rgb[to + 1] = wide[from + 1];
    rgb[to + 2] = wide[from + 2];
  }
  return rgb;
}

export const thumbnail = (photo) => `${photo.links.rendering}${query({ max_side: 224 })}`;
