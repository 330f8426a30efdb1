// The settings beside the photograph: what it is, how it goes, quality, look, uncertainty, download.

import { NEUTRAL, USUAL } from "./blend.js";
import { remember, settings } from "./memory.js";
import { translated } from "./problems.js";
import * as service from "./service.js";
import { number, t } from "./texts.js";
import { bytes, facts, percent, roughly, stateInWords } from "./words.js";

const QUALITIES = {
  draft: ["qDraft", "qDraftNote"],
  fast: ["qFast", "qFastNote"], balanced: ["qBalanced", "qBalancedNote"], best: ["qBest", "qBestNote"],
};
/** Name, words, note; all stand at the right where everything is removed, and keep more to the left. */
const SLIDERS = [
  ["strength", "strength", "strengthNote"],
  ["luminance", "luminance", "luminanceNote"],
  ["chroma", "chroma", "chromaNote"],
  ["detail", "texture", "textureNote"],
];
const PRESETS = {
  auto: ["pAuto", USUAL],
  gentle: ["pGentle", { ...USUAL, look: "gentle" }],
  strong: ["pStrong", { ...USUAL, look: "strong" }],
  full: ["pFull", NEUTRAL],
  soft: ["pSoft", { ...NEUTRAL, strength: 0.5 }],
  grain: ["pGrain", { ...USUAL, luminance: 0.6, detail: 0.3 }],
};
const FORMATS = ["jpeg", "png", "tiff", "webp", "avif"];
const LONG = 20; // seconds that a click on a quality may cost without another

/** Whether the service makes what a preset asks for. */
const offered = ([, { look }], { options }) => look === NEUTRAL.look || "look" in options;

const $ = (id) => document.getElementById(id);
const same = (one, other) => Object.keys(NEUTRAL).every((name) => one[name] === other[name]);

/** What a slider shows of a value, and back: fine texture counts from the other end. */
const turned = (name, value) => (name === "detail" ? Math.round((1 - value) * 100) / 100 : value);

/**
 * Fires "quality" (detail: `{quality, begin}`), "look" (detail: `{look, moving}`), "uncertainty", and what its
 * buttons are named: "cancel", "again", "same", "download", "download-all", "copy", "share", "to-folder",
 * "remove", "other".
 */
export class Panel extends EventTarget {
  #about;
  #pace;
  #sliders = new Map();
  #auto; // the button of the strength
  #kind = USUAL.look; // of automatic strength: gentle, natural or strong
  #photo = null;
  #timer = 0;
  #times = new Map();

  /**
   * @param about what the service says of itself
   * @param pace  tells how long things take
   */
  constructor(about, pace) {
    super();
    this.#about = about;
    this.#pace = pace;
    this.#makeQualities();
    this.#makeSliders();
    this.#makePresets();
    for (const name of ["cancel", "again", "same", "download", "download-all", "copy", "share", "to-folder", "remove", "other"]) {
      $(name).addEventListener("click", () => this.#tell(name));
    }
    $("uncertainty").addEventListener("change", () => this.#tell("uncertainty", $("uncertainty").checked));
    $("reset").addEventListener("click", () => {
      this.#tell("look", { look: USUAL, moving: false });
      this.#sliders.values().next().value?.input.focus();
    });
    this.#makeOutput();
    $("tell-me").checked = Boolean(settings().tell);
    $("tell-me").addEventListener("change", async () => {
      const may = $("tell-me").checked && (await Notification.requestPermission()) === "granted";
      $("tell-me").checked = may;
      remember({ tell: may });
    });
    $("certainty").hidden = about.uncertainty === false;
    $("copy").hidden = !window.ClipboardItem || !service.picture;
    $("saving").hidden = !service.archive; // who cannot write other formats has no archive either
    $("to-folder").hidden = !window.showDirectoryPicker;
    $("share").hidden = !navigator.canShare?.({ files: [new File([""], "a.png", { type: "image/png" })] });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #makeQualities() {
    for (const [name, [words, note]] of Object.entries(QUALITIES)) {
      if (!(name in this.#about.qualities)) continue;
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "quality", value: name });
      input.addEventListener("change", () => this.#choose(name));
      const title = Object.assign(document.createElement("b"), { textContent: t(words) });
      const soft = Object.assign(document.createElement("span"), { className: "soft", textContent: t(note), id: `${name}-note` });
      const time = Object.assign(document.createElement("span"), { className: "soft time", id: `${name}-time` });
      input.setAttribute("aria-label", t(words));
      input.setAttribute("aria-describedby", `${name}-note ${name}-time`);
      label.append(input, title, time, soft);
      $("quality").append(label);
      this.#times.set(name, time);
    }
  }

  /** A quality was chosen: begin where that costs little, once the keys have come to rest; else ask. */
  #choose(quality) {
    clearTimeout(this.#timer);
    const seconds = this.#pace.seconds(this.#photo?.there, quality) ?? 0;
    this.#tell("quality", { quality, begin: false });
    if (seconds > LONG) return;
    this.#timer = setTimeout(() => this.#tell("quality", { quality, begin: true }), 600);
  }

  #makeSliders() {
    for (const [name, words, note] of SLIDERS) {
      const row = document.createElement("div");
      row.className = "slider";
      const label = Object.assign(document.createElement("label"), { htmlFor: name, textContent: t(words), title: t(note) });
      const value = Object.assign(document.createElement("span"), { className: "value", ariaHidden: "true" });
      const input = Object.assign(document.createElement("input"), { type: "range", id: name, min: 0, max: 1, step: 0.01, title: t(note) });
      input.addEventListener("input", () => this.#slide(name, true));
      input.addEventListener("change", () => this.#slide(name, false));
      row.append(label, value, input);
      $("sliders").insertBefore(row, $("presets"));
      this.#sliders.set(name, { input, value });
      if (name === "strength") label.after(this.#makeAuto());
    }
  }

  #makeAuto() {
    this.#auto = Object.assign(document.createElement("button"), {
      type: "button", id: "auto", className: "pill", textContent: t("auto"), title: t("autoTitle"),
    });
    this.#auto.setAttribute("aria-label", t("autoLabel"));
    this.#auto.addEventListener("click", () => {
      const strength = this.#auto.ariaPressed === "true" ? NEUTRAL.strength : USUAL.strength;
      this.#tell("look", { look: { ...this.#look(), strength, look: USUAL.look }, moving: false });
    });
    return this.#auto;
  }

  /** How files are saved: remembered, and the same for all photographs. */
  #makeOutput() {
    const { output = {} } = settings();
    for (const name of FORMATS) $("format").append(Object.assign(document.createElement("option"), { value: name, textContent: name.toUpperCase() }));
    $("format").value = output.output_format ?? "";
    $("file-quality").value = output.jpeg_quality ?? "";
    $("strip-metadata").checked = Boolean(output.strip_metadata);
    for (const id of ["format", "file-quality", "strip-metadata"]) {
      $(id).addEventListener("change", () => {
        if (!$("file-quality").checkValidity()) $("file-quality").value = "";
        remember({ output: this.output });
      });
    }
  }

  /** How files are saved, as options of a job; none where they are as their photographs. */
  get output() {
    return {
      output_format: $("format").value || undefined,
      jpeg_quality: $("file-quality").value || undefined,
      strip_metadata: $("strip-metadata").checked || undefined,
    };
  }

  #makePresets() {
    const option = (value, words) => Object.assign(document.createElement("option"), { value, textContent: words });
    const list = $("preset");
    for (const [name, preset] of Object.entries(PRESETS)) {
      if (offered(preset, this.#about)) list.append(option(name, t(preset[0])));
    }
    list.append(option("own", t("pOwn")), option("other", t("pOther")));
    list.addEventListener("change", () => {
      const look = list.value === "own" ? { ...NEUTRAL, ...settings().own } : PRESETS[list.value]?.[1];
      if (look) this.#tell("look", { look, moving: false });
    });
    $("save-own").addEventListener("click", () => {
      remember({ own: this.#look() });
      this.showLook(this.#look());
      this.#tell("saved-own");
      list.focus();
    });
  }

  #showPreset(look) {
    const { own } = settings();
    const name = Object.keys(PRESETS).find((key) => same(PRESETS[key][1], look)) ?? (own && same({ ...NEUTRAL, ...own }, look) ? "own" : "other");
    $("preset").value = name;
    for (const option of $("preset").options) {
      option.hidden = option.disabled = option.value === "own" ? !own : option.value === "other" ? name !== "other" : false;
    }
    $("save-own").hidden = name !== "other";
  }

  /** What the sliders say. */
  #look() {
    const look = { ...NEUTRAL };
    for (const [name, { input }] of this.#sliders) look[name] = turned(name, Number(input.value));
    if (this.#auto.ariaPressed === "true") Object.assign(look, { strength: USUAL.strength, look: this.#kind });
    return look;
  }

  /** A slider moved; where it is the strength, that is no longer automatic. */
  #slide(name, moving) {
    if (name === "strength") this.#auto.ariaPressed = "false";
    this.#tell("look", { look: this.#look(), moving });
  }

  /** Show the state of a photograph among all of them. */
  show(photo, photos, overlay) {
    $("panel").hidden = !photo;
    if (photo !== this.#photo) clearTimeout(this.#timer);
    this.#photo = photo;
    if (!photo) return;
    this.#pace.learn(photo);
    $("name").textContent = photo.name;
    $("name").title = photo.name;
    $("facts").textContent = photo.there ? facts(photo.there) : photo.file ? bytes(photo.file.size) : "";
    this.#showProgress(photo);
    for (const input of $("quality").querySelectorAll("input[type=radio]")) input.checked = input.value === photo.quality;
    for (const [name, time] of this.#times) {
      const seconds = this.#pace.seconds(photo.there, name);
      time.textContent = seconds === null ? "" : `~ ${roughly(seconds)}`;
    }
    this.showLook(photo.look);
    this.#showUncertainty(photo, overlay);
    const ready = photo.result !== null;
    $("sliders").disabled = !ready && !photo.patches.length;
    $("detail").disabled = !photo.result?.links.explained;
    $("quality").disabled = photo.state === "refused";
    $("download").disabled = !ready;
    const finished = photos.filter(({ result }) => result).length;
    $("download-all").hidden = finished < 2;
    $("download-all").textContent = t("downloadAll", { count: finished });
    $("more").hidden = !ready;
    $("same").hidden = photos.length < 2;
    const long = (this.#pace.seconds(photo.there, photo.quality) ?? 0) > 60;
    $("tell").hidden = !("Notification" in window) || !long || !photo.working;
  }

  /** Only the sliders, while one moves. */
  showLook(look) {
    this.#kind = look.look;
    const found = this.#photo?.strengthFound;
    for (const [name, { input, value }] of this.#sliders) {
      const automatic = look[name] === "auto";
      const shown = automatic ? (found ?? NEUTRAL[name]) : turned(name, look[name]);
      const words = automatic && typeof found !== "number" ? t("auto") : percent(shown);
      input.value = shown;
      input.style.setProperty("--share", `${100 * shown}%`);
      input.setAttribute("aria-valuetext", automatic && typeof found === "number" ? `${t("auto")}, ${words}` : words);
      value.textContent = automatic && typeof found !== "number" ? "" : words;
    }
    this.#auto.ariaPressed = String(look.strength === "auto");
    if (this.#photo) this.#showFindings(this.#photo);
    $("reset").hidden = same(look, USUAL);
    this.#showPreset(look);
  }

  #showProgress(photo) {
    if (!photo.busy && document.activeElement === $("cancel")) queueMicrotask(() => ($("again").hidden ? $("view") : $("again")).focus());
    $("progress").hidden = !photo.busy;
    const bar = $("progress-bar");
    if (photo.state === "running" && photo.progress > 0) bar.value = photo.progress;
    else bar.removeAttribute("value");
    $("progress-text").textContent = stateInWords(photo);
    const pictured = (photo.there || photo.small) && !photo.unreadable && photo.state !== "refused";
    $("notice").hidden = pictured || !photo.problem;
    $("notice-text").textContent = photo.problem ?? "";
    $("problem").hidden = !photo.problem || !pictured;
    $("problem").textContent = photo.problem ?? "";
    const pending = photo.result && photo.result.asked?.quality !== photo.quality && !photo.busy;
    const stopped = ["stopped", "failed"].includes(photo.state) || (photo.state === "ready" && photo.asks) || pending;
    const absent = $("again").hidden;
    $("again").hidden = !stopped || photo.unreadable;
    // it stays in sight, and what was chosen must not lie under it
    if (absent && !$("again").hidden) requestAnimationFrame(() => document.activeElement.closest("#quality label")?.scrollIntoView({ block: "nearest" }));
    const seconds = this.#pace.seconds(photo.there, photo.quality);
    const begin = seconds === null ? t("denoise") : t("denoiseWith", { quality: t(QUALITIES[photo.quality][0]), time: roughly(seconds) });
    $("again").textContent = photo.state === "failed" ? t("again") : begin;
  }

  /** What was found: the noise, and the strength that auto takes. */
  #showFindings(photo) {
    const result = photo.busy ? null : photo.result?.result;
    const parts = [];
    if (typeof result?.noise_level === "number") {
      const word = `n ${result.noise_word}`;
      parts.push(`${t("noiseFound", { word: t(word), level: number(result.noise_level, 1) })}.`);
    }
    const automatic = photo.look.strength === USUAL.strength;
    if (automatic && result && photo.strengthFound !== null) {
      parts.push(`${t("autoTook", { percent: percent(photo.strengthFound) })}.`);
    }
    $("found").textContent = parts.join(" ");
    $("found").hidden = !parts.length;
    $("warnings").replaceChildren(...(result?.warnings ?? []).map(inItem));
    $("warnings").hidden = !result?.warnings?.length;
  }

  #showUncertainty(photo, overlay) {
    const there = Boolean(photo.result?.links.uncertainty);
    $("uncertainty").disabled = !there;
    $("uncertainty").checked = there && overlay;
    $("ramp").hidden = !(there && overlay);
    $("uncertainty-note").textContent = t(there ? "uncertaintyNote" : "comesLater");
  }

  /** While the file is made, how far it is; null at the end. */
  saving(progress) {
    $("download").textContent = progress === null ? t("download") : t("preparing", { percent: progress ? percent(progress) : "…" });
  }
}

/** A warning of the service's as an item of a list; marked as English where it stays so. */
function inItem(words) {
  const known = translated(words);
  return Object.assign(document.createElement("li"), known ? { textContent: known } : { textContent: words, lang: "en" });
}
