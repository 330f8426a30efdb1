// The page: puts table, viewer, panel and filmstrip together.

import { Ahead } from "./ahead.js";
import { NEUTRAL, USUAL } from "./blend.js";
import * as deliver from "./deliver.js";
import { sharesOf, strengthFound } from "./found.js";
import { listen } from "./gestures.js";
import { takeIn } from "./intake.js";
import { awaiting, hold, Layer, Previews } from "./layers.js";
import { forget, isShown, pictureOf } from "./local.js";
import { keepTable, remember, settings, table as rememberedTable } from "./memory.js";
import { Pace } from "./pace.js";
import { Panel } from "./panel.js";
import { Photo } from "./photo.js";
import { translated } from "./problems.js";
import { Scene } from "./scene.js";
import * as service from "./service.js";
import { Strip } from "./strip.js";
import { Table } from "./table.js";
import { language, speak, t, translate } from "./texts.js";
import { Viewer } from "./viewer.js";
import { bytes, percent, zoomed } from "./words.js";

const SHORT = 20; // seconds that a job of another quality may take unasked
const SWEEP = 900; // ms
const TAG_MARGIN = 24; // CSS pixels around the words at the picture
const DWELL = 150; // ms that a pointer rests before it means something

const $ = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

translate(document);

// --- what works before the service has answered ----------------------------------------------------

let early = []; // files that came too soon
let take = (files) => early.push(...files);
const pick = takeIn($("files"), (files) => take(files));
for (const id of ["add", "pick", "other"]) $(id).addEventListener("click", pick);

function banner(words) {
  $("banner").hidden = !words;
  if ($("banner").textContent !== (words ?? "")) $("banner").textContent = words ?? "";
}

/** For those who hear the page. */
function say(words) {
  $("said").textContent = words;
}

$("language").value = language;
$("language").addEventListener("change", () => speak($("language").value));
/** Show what keys and fingers do; who asks by key sees the keys, on a phone as well. */
function showKeys(by) {
  $("keys").dataset.by = by;
  if (!$("keys").open) $("keys").showModal();
}
$("keys-open").addEventListener("click", () => showKeys("button"));
$("keys-close").addEventListener("click", () => $("keys").close());

/** Wait until the service answers, and the token is there if it wants one. */
async function meet() {
  for (;;) {
    try {
      if (service.session && !(await service.session()).open) await enter();
      const answer = await service.describe();
      banner(null);
      return answer;
    } catch (problem) {
      banner(problem.message);
      await pause((problem.waitSeconds ?? 3) * 1000);
    }
  }
}

/** Ask for the token until it is right. */
function enter() {
  const dialog = $("entrance");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  return new Promise((done) => {
    $("entrance-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await service.enter($("token").value);
      } catch (problem) {
        $("entrance-problem").textContent = problem.status === 401 ? t("wrongToken") : problem.message;
        $("token").select();
        return;
      }
      dialog.close();
      done();
    });
  });
}

const viewer = new Viewer($("canvas"));
let overlay = false;

const about = await meet();
const pace = new Pace(about);
let { quality = "fast", look = USUAL } = settings();
if (!(quality in about.qualities)) quality = "fast";
const table = new Table(
  ({ quality: name }) => ({ ...NEUTRAL, quality: name }),
  (photo) => pace.seconds(photo.there, photo.quality),
  (photo) => ahead.first === photo,
);
const { preview_pixels: most, quick_preview_pixel_passes: quick = Infinity } = about.limits;
const ahead = new Ahead(most, quick / pace.work("draft").passes, () => ({ ...USUAL, quality: "draft" }), (waits) => {
  hold(waits && isShown(table.current?.file)); // what the browser does not show itself comes first
  if (waits) panel.show(table.current, table.photos, overlay);
  else table.begin();
});
const panel = new Panel(about, pace);
const strip = new Strip($("strip"), $("photos"));
const engine = language === "en" ? about.engine : (translated(about.engine)?.slice(0, -1) ?? about.engine);
$("engine").textContent = about.version ? t("about", { version: about.version, model: about.model, engine }) : engine;
$("formats").textContent = t("formats", { formats: about.formats.map((name) => name.toUpperCase()).join(", "), size: bytes(about.limits.bytes) });
const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
$("where").textContent = about.where ?? (here ? t("stayHere") : t("goTo", { host: location.host }));

// --- photographs come in -------------------------------------------------------------------------

take = (files) => {
  const asks = !["draft", "fast"].includes(quality);
  table.add(files, quality, look, (file) => {
    if (!file.size) return t("empty");
    if (file.size <= about.limits.bytes) return null;
    return t("tooLarge", { size: bytes(file.size), most: bytes(about.limits.bytes) });
  }, asks);
  if (document.activeElement === document.body || !document.activeElement?.checkVisibility()) $("view").focus({ focusVisible: false });
  say(files.length === 1 ? t("added", { name: files[0].name }) : t("addedMany", { count: files.length }));
};

$("sample").addEventListener("click", async () => {
  const answer = await fetch(new URL("assets/sample.jpg", document.baseURI));
  take([new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" })]);
});

table.addEventListener("list", () => {
  strip.lay(table.photos, table.current);
  document.body.dataset.several = table.photos.length > 1;
  keep();
});
strip.addEventListener("choose", ({ detail }) => table.choose(detail));
strip.addEventListener("remove", ({ detail }) => {
  table.remove(detail);
  (table.current ? $("view") : $("pick")).focus();
});

/** Have the file made that is about to be wanted, while nothing else is at work. */
function prepare(photo) {
  if (!service.archive || !photo?.result || table.photos.some(({ working }) => working)) return;
  photo.made(() => {}, panel.output).catch(() => {}); // it is made when it is wanted, and then says what is wrong
}
let dwell = 0;
strip.addEventListener("point", ({ detail }) => {
  clearTimeout(dwell);
  dwell = setTimeout(prepare, DWELL, detail);
});
$("download").addEventListener("pointerenter", () => prepare(table.current));
$("download").addEventListener("focus", () => prepare(table.current));
strip.addEventListener("drag", (event) => {
  const { photo, transfer } = event.detail;
  const file = photo.ready(panel.output);
  if (file) transfer.setData("DownloadURL", `${file.media_type}:${file.name}:${new URL(file.link, document.baseURI)}`);
  else event.preventDefault();
});

/** Remember what is on the table, for the page to be loaded anew. */
function keep() {
  keepTable(table.photos.map((photo) => photo.kept).filter(Boolean), table.current?.there?.id ?? null);
}

/** Find again what was on the table before the page was loaded anew. */
async function restore() {
  const { photos, current } = rememberedTable();
  const found = await Promise.all(photos.map(async (kept) => {
    try {
      const there = await service.photo(kept.photo);
      const job = kept.job ? await service.job(kept.job).catch(() => null) : null;
      return Photo.found({ ...kept, there, job });
    } catch {
      return null;
    }
  }));
  const left = found.filter(Boolean);
  for (const photo of left) photo.asks = photo.state === "ready" && !((pace.seconds(photo.there, photo.quality) ?? 0) < SHORT);
  if (left.length) table.restore(left, current);
  if (left.length < photos.length) say(t("expired", { count: photos.length - left.length }));
}

// --- the one that is looked at -------------------------------------------------------------------

let shown = null; // the photograph whose scene is on the table

table.addEventListener("current", () => {
  leave();
  if (decoded && decoded !== table.current?.file) forget(decoded);
  decoded = table.current?.file ?? null;
  strip.mark(table.current);
  if (table.current) ({ quality, look } = table.current);
  refresh();
  keep();
});

function leave() {
  ahead.stop();
  viewer.outline = null;
  if (shown) shown.viewport = viewer.viewport;
  viewer.scene?.close();
  viewer.show(null);
  shown = null;
}

let decoded = null; // the file whose picture the browser has

/** Bring viewer and panel up to the current photograph. */
function refresh() {
  const photo = table.current;
  document.body.dataset.state = photo ? photo.state : "empty";
  document.body.dataset.seeable = String(!photo || !(photo.unreadable || photo.state === "refused"));
  panel.show(photo, table.photos, overlay);
  document.title = photo ? `${photo.busy ? `${percent(photo.progress)} ` : ""}${photo.name} – InvDN` : "InvDN";
  const link = photo?.there?.links.rendering; // another one after the service has been started anew
  if (shown && (link ? shown === photo && viewer.scene.noisy.link !== link : viewer.scene.clean instanceof Layer)) leave();
  if (photo?.there && shown !== photo) open(photo);
  else if (photo && !photo.there && shown !== photo && photo.state !== "refused") openFile(photo);
  const scene = viewer.scene;
  if (scene) dress(scene, photo);
  if (photo) measure(photo);
  document.body.dataset.after = scene ? afterIs(scene) : "nothing";
  label();
}

const afterIs = ({ clean }) => (clean instanceof Layer ? "result" : clean?.regions.length ? "preview" : "nothing");

async function open(photo) {
  const { width, height, links } = photo.there;
  const scene = new Scene(new Layer(links.rendering, width, height, (problem) => arrived(photo, problem)));
  scene.clean = new Previews(scene.noisy);
  for (const patch of photo.patches) scene.clean.add(patch);
  shown = photo;
  viewer.show(scene, photo.viewport);
  const picture = await pictureOf(photo.file);
  if (!picture || viewer.scene !== scene || picture.width !== width || picture.height !== height) return;
  scene.meanwhile = picture;
  viewer.redraw();
}

const opening = new WeakSet();

/** Show a file as the browser can, before the service has looked at it. */
async function openFile(photo) {
  if (opening.has(photo)) return;
  opening.add(photo);
  const picture = await pictureOf(photo.file);
  if (!picture || table.current !== photo || photo.there || shown === photo) return;
  const none = { width: picture.width, height: picture.height, link: null, tile: () => null };
  const scene = new Scene(none);
  scene.meanwhile = picture;
  shown = photo;
  viewer.show(scene, photo.viewport);
  refresh();
}

/** Give the scene the layers and look that the photograph has now. */
function dress(scene, photo) {
  const job = photo.result;
  if (job && scene.job !== job.id) {
    const settled = (problem) => arrived(photo, problem);
    const previous = [scene.clean, scene.explained, scene.uncertainty];
    const layer = (link) => new Layer(link, scene.width, scene.height, settled);
    scene.clean = layer(job.links.rendering);
    scene.explained = scene.uncertainty = null;
    scene.job = job.id;
    viewer.outline = null;
    for (const layer of previous) layer?.close?.();
    scene.changed();
  }
  const laid = overlay && Boolean(job?.links.uncertainty);
  if (scene.look !== photo.look || scene.overlay !== laid) {
    Object.assign(scene, { look: photo.look, overlay: laid });
    scene.changed();
  }
  explain(scene, photo);
  if (laid && !viewer.moving) judge(scene, photo);
  viewer.redraw();
  lookAhead();
}

/** Ask how much of the change is noise, as the look of the photograph sees it. */
function explain(scene, photo) {
  const link = photo.result ? sharesOf(photo.result, photo.look.look) : null;
  if (!link || scene.explained?.link === link) return;
  scene.explained?.close();
  scene.explained = new Layer(link, scene.width, scene.height, (problem) => arrived(photo, problem));
  scene.changed();
}

/** Ask how far the result may be from the truth, as the look of the photograph blends it. */
function judge(scene, photo) {
  const link = `${photo.result.links.uncertainty}${service.query(photo.look)}`;
  if (scene.uncertainty?.link === link) return;
  scene.uncertainty?.close();
  scene.uncertainty = new Layer(link, scene.width, scene.height, (problem) => arrived(photo, problem));
  scene.changed();
}

/** Measure what auto takes, once for each result and look. */
async function measure(photo) {
  const { result: job, there, look: { look: kind } } = photo;
  const which = `${job?.id} ${kind}`;
  if (!job || !there || photo.strengthFound !== null || photo.measured.has(which)) return;
  photo.measured.set(which, null);
  photo.measured.set(which, await strengthFound(there, job, kind).catch(() => null));
  if (photo === table.current) panel.show(photo, table.photos, overlay);
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
  const mark = (region) => {
    viewer.outline = region;
    viewer.redraw();
  };
  ahead.consider(shown, viewer.viewport, previews, mark, (patch) => {
    if (!previews || viewer.scene?.clean !== previews) return;
    previews.add(patch);
    shown.patches = [...previews.regions];
    viewer.outline = null;
    viewer.scene.changed();
    say(t("saidPreview"));
    refresh();
  });
}

let heard = ""; // the last state that was said of the current photograph
const states = new WeakMap(); // the last state of each

table.addEventListener("change", ({ detail: photo }) => {
  strip.tell(photo);
  const silent = table.photos.some((one) => one.silent);
  if (silent) banner(`${t("silent")} ${t("goesOn")}`);
  else if (!photo.problem) banner(null);
  const entered = states.get(photo) !== photo.state;
  if (photo === table.current || entered) refresh(); // the panel counts all that are done
  if (entered) {
    if (photo.state === "done" && states.get(photo)) finished(photo);
    states.set(photo, photo.state);
    keep();
  }
  announce(photo);
});

/** A job has ended while somebody watched, or did something else. */
function finished(photo) {
  if (photo === table.current && !matchMedia("(prefers-reduced-motion: reduce)").matches) sweep();
  if (document.hidden && settings().tell && Notification.permission === "granted") {
    new Notification(t("saidDone", { name: photo.name }), { icon: photo.small ?? undefined, tag: "invdn" });
  }
}

/** Move the boundary once over the photograph and back, so that nobody misses the moment. */
function sweep() {
  if (viewer.beside || document.activeElement === $("wipe")) return;
  const [start, from] = [performance.now(), viewer.wipe];
  const step = (now) => {
    const share = (now - start) / SWEEP;
    if (share >= 1 || viewer.held || Math.abs(viewer.wipe - wanted) > 1e-6) {
      if (share >= 1) viewer.set({ wipe: from });
      return;
    }
    wanted = from + (0.02 - from) * Math.sin(Math.PI * Math.min(1, Math.max(0, share)));
    viewer.set({ wipe: wanted });
    requestAnimationFrame(step);
  };
  let wanted = from;
  requestAnimationFrame(step);
}

function announce(photo) {
  const quarter = photo.state === "running" ? Math.floor(photo.progress * 4) * 25 : "";
  const { name } = photo;
  const words = {
    running: quarter ? t("saidPercent", { name, percent: quarter }) : t("saidRunning", { name }),
    done: t("saidDone", { name }),
    stopped: t("saidStopped", { name }),
    failed: `${name}: ${photo.problem}`,
    refused: `${name}: ${photo.problem}`,
  }[photo.state];
  if (!words || words === heard || (photo !== table.current && photo.state === "running")) return;
  heard = words;
  say(words);
}

// --- the panel -----------------------------------------------------------------------------------

panel.addEventListener("quality", ({ detail: { quality: chosen, begin } }) => {
  const photo = table.current;
  quality = chosen;
  photo.quality = chosen;
  remember({ quality });
  if (photo.state === "ready" && !photo.result) photo.asks = true;
  const wanted = photo.result?.asked?.quality !== chosen || photo.working;
  if (begin && wanted && photo.state !== "refused") photo.again();
  refresh();
});
panel.addEventListener("look", ({ detail: { look: chosen, moving } }) => {
  look = chosen;
  table.current.look = chosen;
  panel.showLook(chosen);
  measure(table.current);
  viewer.moving = moving;
  if (!moving) {
    remember({ look });
    keep();
  }
  if (!viewer.scene) return;
  viewer.scene.look = chosen;
  viewer.scene.changed();
  explain(viewer.scene, table.current);
  if (viewer.scene.overlay && !moving) judge(viewer.scene, table.current);
  viewer.redraw();
});
panel.addEventListener("saved-own", () => say(t("savedOwn")));
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
  table.begin();
  ($("progress").hidden ? $("view") : $("cancel")).focus();
});
panel.addEventListener("same", () => {
  for (const photo of table.photos) {
    photo.look = look;
    if (photo.quality === quality || photo.state === "refused") continue;
    photo.quality = quality;
    if ((pace.seconds(photo.there, quality) ?? 0) * table.photos.length < SHORT && photo.there) photo.again();
    else if (photo.state === "ready") photo.asks = true;
  }
  keep();
  refresh();
  say(t("saidSame"));
});
panel.addEventListener("remove", () => {
  table.remove(table.current);
  (table.current ? $("view") : $("add")).focus();
});
panel.addEventListener("download", () => save());
panel.addEventListener("download-all", () => busily(async (onProgress) => {
  const finished = table.photos.filter(({ result }) => result);
  if (!service.archive) {
    for (const photo of finished) deliver.save(await photo.product(onProgress, panel.output));
    return;
  }
  const ids = [];
  for (const photo of finished) ids.push(await photo.made(onProgress, panel.output));
  deliver.saveArchive(ids);
  say(t("downloaded", { name: "denoised.zip" }));
}));
panel.addEventListener("to-folder", () => busily(async (onProgress) => {
  const count = await deliver.saveIntoFolder(table.photos.filter(({ result }) => result), onProgress, panel.output);
  if (count !== null) say(t("toFolderDone", { count }));
}));
panel.addEventListener("copy", () => busily(async (onProgress) => {
  const id = await table.current.made(onProgress);
  await deliver.copy(await service.job(id));
  say(t("copied"));
}));
panel.addEventListener("share", () => busily(async (onProgress) => {
  const file = await table.current.product(onProgress, panel.output);
  try {
    await deliver.share(file);
  } catch (problem) {
    if (problem.name !== "NotAllowedError") throw problem;
    banner(t("shareAgain")); // the click counts for some seconds, and the file took longer; or the system refuses
  }
}));

const save = () => busily(async (onProgress) => {
  const file = await table.current.product(onProgress, panel.output);
  deliver.save(file);
  say(t("downloaded", { name: file.name }));
});

let saving = false;

/** Do something with results, one thing at a time, and say what went wrong. */
async function busily(act) {
  const photo = table.current;
  if (saving || !photo?.result) return;
  saving = true;
  panel.saving(0);
  const wanted = photo.result;
  try {
    await act((progress) => panel.saving(progress));
  } catch (problem) {
    if (problem.status === 404 && photo.result === wanted) photo.lost();
    else if (problem.name !== "AbortError") banner(problem.message);
  }
  saving = false;
  panel.saving(null);
}

// --- the view ------------------------------------------------------------------------------------

listen($("view"), $("wipe"), viewer, {
  s: () => $("side").click(),
  u: () => $("uncertainty").click(),
  "?": () => showKeys("key"),
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
viewer.addEventListener("drawn", () => {
  document.body.dataset.seen = viewer.seen;
  $("view").setAttribute("aria-busy", String(awaiting()));
});

// One stop for Tab; arrows move between the buttons.
const tools = [...$("bar").querySelectorAll("button")];
const reach = (tool) => tools.forEach((one) => (one.tabIndex = one === tool ? 0 : -1));
reach($("zoom-fit"));
$("bar").addEventListener("focusin", ({ target }) => tools.includes(target) && reach(target));
$("bar").addEventListener("keydown", (event) => {
  const there = tools.filter((tool) => !tool.disabled);
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const to = { Home: there[0], End: there.at(-1) }[event.key] ?? (by && there[(there.indexOf(event.target) + by + there.length) % there.length]);
  if (!to) return;
  event.preventDefault();
  to.focus();
});

/** Words and places that follow the viewer. */
function label() {
  const view = viewer.viewport;
  $("zoom").textContent = view ? zoomed(view.zoom) : "";
  $("zoom").setAttribute("aria-label", `${t("zoom")} ${$("zoom").textContent}`);
  for (const id of ["zoom-out", "zoom-in", "zoom-fit", "zoom-full", "side"]) $(id).disabled = !view;
  $("zoom-fit").setAttribute("aria-pressed", String(Boolean(view?.fitted)));
  $("zoom-full").setAttribute("aria-pressed", String(Boolean(view && !view.fitted && view.zoom === 1)));
  $("side").setAttribute("aria-pressed", String(viewer.beside));
  $("stage").dataset.beside = viewer.beside ? (viewer.panes[1].left ? "across" : "down") : "no";
  $("stage").dataset.held = viewer.held;
  $("stage").style.setProperty("--wipe", `${viewer.wipe * 100}%`);
  const share = Math.round(viewer.wipe * 100);
  $("wipe").setAttribute("aria-valuenow", share);
  $("wipe").setAttribute("aria-valuetext", t("boundaryValue", { a: share, b: 100 - share }));
  const after = document.body.dataset.after;
  const laid = viewer.scene?.overlay;
  $("tag-after").textContent = laid ? t("uncertainty") : after === "preview" ? t("preview") : t("after");
  placeTags();
  const name = table.current?.name;
  const what = t({ result: "seeResult", preview: "seePreview" }[after] ?? "seeBefore");
  $("canvas").setAttribute("aria-label", name ? t("canvas", { name, what, zoom: $("zoom").textContent }) : t("nothing"));
}

/** Put the words at the picture, not at the window's edge; beside it where its half has no room for them. */
function placeTags() {
  const frames = viewer.frames;
  if (!frames.length) return;
  const [first, last] = [frames[0], frames.at(-1)];
  const half = (first.right - first.left) / (viewer.beside ? 1 : 2);
  const room = (id) => Math.max(0, $(id).offsetWidth + TAG_MARGIN - half);
  const style = $("stage").style;
  style.setProperty("--before-x", `${Math.max(0, first.left - room("tag-before"))}px`);
  style.setProperty("--before-y", `${Math.max(0, first.top)}px`);
  style.setProperty("--after-x", `${Math.max(0, $("canvas").clientWidth - last.right - room("tag-after"))}px`);
  style.setProperty("--after-y", `${Math.max(0, last.top)}px`);
  style.setProperty("--top", `${Math.max(0, first.top)}px`);
  style.setProperty("--bottom", `${Math.max(0, $("canvas").clientHeight - first.bottom)}px`);
}

const shades = matchMedia("(prefers-color-scheme: dark)");
const paint = () => viewer.set({ background: getComputedStyle($("stage")).backgroundColor });
shades.addEventListener("change", paint);
paint();

addEventListener("keydown", (event) => {
  if (event.key === "?" && !viewer.viewport && !event.target.closest("input, dialog")) {
    event.preventDefault();
    showKeys("key");
  }
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  const act = { o: pick, s: save }[event.key.toLowerCase()];
  if (!act || $("keys").open) return;
  event.preventDefault();
  act();
});

// What is done stays on the service for as long as the page is open.
setInterval(() => {
  for (const { result, there } of table.photos) {
    if (result) service.job(result.id).catch(() => {});
    else if (there) service.photo(there.id).catch(() => {});
  }
}, 60_000);

/** Keep the page's own files, so that an installed page opens while the service is away, and says so. */
async function keepPage() {
  if (!navigator.serviceWorker) return;
  await navigator.serviceWorker.register("sw.js");
  const base = new URL("./", document.baseURI).href;
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const files = new Set(loaded.filter((name) => name.startsWith(`${base}assets/`)));
  await (await caches.open(`page ${base}`)).addAll([base, ...files]);
}

// --- the end -------------------------------------------------------------------------------------

// What was handed over is found again; what is on its way would be lost.
addEventListener("beforeunload", (event) => {
  if (table.photos.some(({ state, file }) => file && ["waiting", "uploading"].includes(state))) event.preventDefault();
});

await restore();
document.body.dataset.ready = "yes";
if (service.installs) keepPage().catch(() => {}); // without it the page works all the same
if (early.length) take(early);
early = [];
