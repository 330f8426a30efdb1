// The page: puts table, viewer, panel and filmstrip together.

import { Ahead } from "./ahead.js";
import { NEUTRAL, USUAL } from "./blend.js";
import { listen } from "./gestures.js";
import { takeIn } from "./intake.js";
import { awaiting, Layer, Previews } from "./layers.js";
import { Panel } from "./panel.js";
import { Scene } from "./scene.js";
import * as service from "./service.js";
import { Strip } from "./strip.js";
import { Table } from "./table.js";
import { Viewer } from "./viewer.js";
import { bytes, percent, zoomed } from "./words.js";

const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const viewer = new Viewer($("canvas"));
let overlay = false;
let quality = "fast";
let look = USUAL;

const about = await meet();
const table = new Table(({ quality: name }) => ({ ...NEUTRAL, quality: name }));
const ahead = new Ahead(about.limits.preview_pixels, () => ({ ...USUAL, quality: "fast" }));
const panel = new Panel(about);
const strip = new Strip($("strip"), $("photos"));
$("engine").textContent = about.engine;
$("formats").textContent = `${about.formats.map((name) => name.toUpperCase()).join(", ")}, up to ${bytes(about.limits.bytes)}`;
const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
$("where").textContent = about.where ?? (here ? "They stay on this machine." : `They go to ${location.host} and nowhere else.`);

/** Wait until the service answers. */
async function meet() {
  for (;;) {
    try {
      const answer = await service.describe();
      banner(null);
      return answer;
    } catch (problem) {
      banner(problem.message);
      await pause((problem.waitSeconds ?? 3) * 1000);
    }
  }
}

function banner(words) {
  $("banner").hidden = !words;
  if ($("banner").textContent !== (words ?? "")) $("banner").textContent = words ?? "";
}

/** For those who hear the page. */
function say(words) {
  $("said").textContent = words;
}

// --- photographs come in -------------------------------------------------------------------------

const pick = takeIn($("files"), (files) => {
  table.add(files, quality, look, (file) => {
    if (!file.size) return "This file is empty.";
    if (file.size <= about.limits.bytes) return null;
    return `This file is too large: ${bytes(file.size)}, and the service takes ${bytes(about.limits.bytes)} at most.`;
  });
  say(files.length === 1 ? `${files[0].name} added` : `${files.length} photographs added`);
});
$("add").addEventListener("click", pick);
$("pick").addEventListener("click", pick);

table.addEventListener("list", () => strip.lay(table.photos, table.current));
strip.addEventListener("choose", ({ detail }) => table.choose(detail));
strip.addEventListener("remove", ({ detail }) => {
  table.remove(detail);
  (table.current ? $("view") : $("pick")).focus();
});

// --- the one that is looked at -------------------------------------------------------------------

let shown = null; // the photograph whose scene is on the table

table.addEventListener("current", () => {
  leave();
  strip.mark(table.current);
  if (table.current) ({ quality, look } = table.current);
  refresh();
});

function leave() {
  ahead.stop();
  if (shown) shown.viewport = viewer.viewport;
  viewer.scene?.close();
  viewer.show(null);
  shown = null;
}

/** Bring viewer and panel up to the current photograph. */
function refresh() {
  const photo = table.current;
  document.body.dataset.state = photo ? photo.state : "empty";
  panel.show(photo, table.photos, overlay);
  document.title = photo ? `${photo.busy ? `${percent(photo.progress)} ` : ""}${photo.name} – InvDN` : "InvDN";
  const link = photo?.there?.links.rendering; // another one after the service has been started anew
  if (shown && (link ? shown === photo && viewer.scene.noisy.link !== link : viewer.scene.clean instanceof Layer)) leave();
  if (photo?.there && shown !== photo) open(photo);
  const scene = viewer.scene;
  if (scene) dress(scene, photo);
  document.body.dataset.after = scene ? afterIs(scene) : "nothing";
  label();
}

const afterIs = ({ clean }) => (clean instanceof Layer ? "result" : clean.regions.length ? "preview" : "nothing");

function open(photo) {
  const { width, height, links } = photo.there;
  const scene = new Scene(new Layer(links.rendering, width, height, (problem) => arrived(photo, problem)));
  scene.clean = new Previews(scene.noisy);
  for (const patch of photo.patches) scene.clean.add(patch);
  shown = photo;
  viewer.show(scene, photo.viewport);
}

/** Give the scene the layers and look that the photograph has now. */
function dress(scene, photo) {
  const job = photo.result;
  if (job && scene.job !== job.id) {
    const told = (problem) => arrived(photo, problem);
    const previous = [scene.clean, scene.explained, scene.uncertainty];
    const layer = (link) => new Layer(link, scene.width, scene.height, told);
    scene.clean = layer(job.links.rendering);
    scene.explained = job.links.explained ? layer(job.links.explained) : null;
    scene.uncertainty = null;
    scene.job = job.id;
    for (const layer of previous) layer?.close?.();
    scene.changed();
  }
  const laid = overlay && Boolean(job);
  if (scene.look !== photo.look || scene.overlay !== laid) {
    Object.assign(scene, { look: photo.look, overlay: laid });
    scene.changed();
  }
  if (laid && !viewer.moving) judge(scene, photo);
  viewer.redraw();
  lookAhead();
}

/** Ask how far the result may be from the truth, as the look of the photograph blends it. */
function judge(scene, photo) {
  const link = `${photo.result.links.uncertainty}${service.query(photo.look)}`;
  if (scene.uncertainty?.link === link) return;
  scene.uncertainty?.close();
  scene.uncertainty = new Layer(link, scene.width, scene.height, (problem) => arrived(photo, problem));
  scene.changed();
}

/** A tile has come, or could not. */
function arrived(photo, problem) {
  if (photo !== shown) return;
  if (problem?.status === 404 && photo.state === "done") photo.lost();
  else if (problem?.status === 422) photo.unseeable(problem.message);
  else if (problem) banner(problem.message);
  if (!problem) viewer.redraw();
  else setTimeout(() => viewer.redraw(), 3200);
}

function lookAhead() {
  const previews = viewer.scene?.clean instanceof Previews ? viewer.scene.clean : null;
  if (!viewer.viewport) return;
  ahead.consider(shown, viewer.viewport, previews, (patch) => {
    if (!previews || viewer.scene?.clean !== previews) return;
    previews.add(patch);
    shown.patches = [...previews.regions];
    viewer.scene.changed();
    say("Preview of the visible part is there");
    refresh();
  });
}

let heard = ""; // the last state that was said of the current photograph

table.addEventListener("change", ({ detail: photo }) => {
  strip.tell(photo);
  const silent = table.photos.some((one) => one.silent);
  if (silent) banner("The service does not answer. Is “invdn serve” still running? The work goes on when it is back.");
  else if (!photo.problem) banner(null);
  if (photo === table.current) refresh();
  announce(photo);
});

function announce(photo) {
  const quarter = photo.state === "running" ? Math.floor(photo.progress * 4) * 25 : "";
  const words = {
    running: quarter ? `${photo.name}: ${quarter} percent` : `Denoising ${photo.name}`,
    done: `${photo.name} is denoised`,
    stopped: `${photo.name}: stopped`,
    failed: `${photo.name}: ${photo.problem}`,
    refused: `${photo.name}: ${photo.problem}`,
  }[photo.state];
  if (!words || words === heard || (photo !== table.current && photo.state === "running")) return;
  heard = words;
  say(words);
}

// --- the panel -----------------------------------------------------------------------------------

panel.addEventListener("quality", ({ detail }) => {
  quality = detail;
  table.current.quality = detail;
  if (table.current.state !== "refused") table.current.again();
});
panel.addEventListener("look", ({ detail: { look: chosen, moving } }) => {
  look = chosen;
  table.current.look = chosen;
  panel.showLook(chosen);
  viewer.moving = moving;
  if (!viewer.scene) return;
  viewer.scene.look = chosen;
  viewer.scene.changed();
  if (overlay && !moving && table.current.result) judge(viewer.scene, table.current);
  viewer.redraw();
});
panel.addEventListener("uncertainty", ({ detail }) => {
  overlay = detail;
  refresh();
});
panel.addEventListener("cancel", () => {
  table.current.cancel();
  $("again").focus();
});
panel.addEventListener("again", () => {
  table.current.again();
  ($("progress").hidden ? $("view") : $("cancel")).focus();
});
panel.addEventListener("same", () => {
  for (const photo of table.photos) photo.look = look;
  say("All photographs have this look now");
});
panel.addEventListener("remove", () => {
  table.remove(table.current);
  (table.current ? $("view") : $("add")).focus();
});
panel.addEventListener("download", () => save([table.current]));
panel.addEventListener("download-all", () => save(table.photos));

let saving = false;

async function save(photos) {
  if (saving) return;
  saving = true;
  panel.saving(0);
  for (const photo of photos.filter((one) => one?.result)) {
    const wanted = photo.result;
    try {
      const { blob, name } = await photo.product((progress) => panel.saving(progress));
      const address = URL.createObjectURL(blob);
      Object.assign(document.createElement("a"), { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      say(`${name} downloaded`);
    } catch (problem) {
      if (problem.status === 404 && photo.result === wanted) photo.lost();
      else banner(problem.message);
    }
  }
  saving = false;
  panel.saving(null);
}

// --- the view ------------------------------------------------------------------------------------

listen($("view"), $("wipe"), viewer, {
  s: () => $("side").click(),
  u: () => $("uncertainty").click(),
  PageUp: () => table.step(-1),
  PageDown: () => table.step(1),
});
$("zoom-in").addEventListener("click", () => viewer.move((v) => v.step(1)));
$("zoom-out").addEventListener("click", () => viewer.move((v) => v.step(-1)));
$("zoom-fit").addEventListener("click", () => viewer.move((v) => v.fit()));
$("zoom-full").addEventListener("click", () => viewer.move((v) => v.zoomTo(1)));
$("side").addEventListener("click", () => viewer.set({ beside: !viewer.beside }));
viewer.addEventListener("move", () => {
  label();
  lookAhead();
});

viewer.addEventListener("drawn", () => $("view").setAttribute("aria-busy", String(awaiting())));

/** Words and places that follow the viewer. */
function label() {
  const view = viewer.viewport;
  $("zoom").textContent = view ? zoomed(view.zoom) : "";
  for (const id of ["zoom-out", "zoom-in", "zoom-fit", "zoom-full", "side"]) $(id).disabled = !view;
  $("zoom-fit").setAttribute("aria-pressed", String(Boolean(view?.fitted)));
  $("zoom-full").setAttribute("aria-pressed", String(Boolean(view && !view.fitted && view.zoom === 1)));
  $("side").setAttribute("aria-pressed", String(viewer.beside));
  $("stage").dataset.beside = viewer.beside ? (viewer.panes[1].left ? "across" : "down") : "no";
  $("stage").dataset.held = viewer.held;
  $("stage").style.setProperty("--wipe", `${viewer.wipe * 100}%`);
  const share = Math.round(viewer.wipe * 100);
  $("wipe").setAttribute("aria-valuenow", share);
  $("wipe").setAttribute("aria-valuetext", `before ${share} percent, after ${100 - share} percent`);
  const after = document.body.dataset.after;
  $("tag-after").textContent = after === "preview" ? "Preview" : "After";
  const name = table.current?.name;
  const words = { result: "before and after", preview: "before, and a preview of after", nothing: "before" }[after];
  $("canvas").setAttribute("aria-label", name ? `${name}, ${words}, at ${$("zoom").textContent}` : "No photograph");
}

const shades = matchMedia("(prefers-color-scheme: dark)");
const paint = () => viewer.set({ background: getComputedStyle($("stage")).backgroundColor });
shades.addEventListener("change", paint);
paint();

$("keys-open").addEventListener("click", () => $("keys").showModal());
$("keys-close").addEventListener("click", () => $("keys").close());
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  const act = { o: pick, s: () => save([table.current]) }[event.key.toLowerCase()];
  if (!act || $("keys").open) return;
  event.preventDefault();
  act();
});

// What is done stays on the service for as long as the page is open.
setInterval(() => {
  for (const { result } of table.photos) if (result) service.job(result.id).catch(() => {});
}, 60_000);

// --- the end -------------------------------------------------------------------------------------

addEventListener("beforeunload", (event) => {
  if (table.photos.some((photo) => photo.busy)) event.preventDefault();
});
addEventListener("pagehide", (event) => {
  if (!event.persisted) for (const photo of table.photos) photo.remove();
});

document.body.dataset.ready = "yes";
