// The settings beside the photograph: what it is, how it goes, quality, look, uncertainty, download.

import { NEUTRAL, USUAL } from "./blend.js";
import { duration, facts, percent, sentence } from "./words.js";

const QUALITIES = { draft: "Draft", fast: "Fast", balanced: "Balanced", best: "Best" };
const SLIDERS = [
  ["strength", "Strength", "How much of the noise is removed; 0 % is the photograph as it was."],
  ["luminance", "Luminance", "How much of the grain in brightness is removed."],
  ["chroma", "Colour", "How much of the coloured noise is removed."],
  ["detail", "Detail", "How much fine texture is given back, without colour noise."],
];

const $ = (id) => document.getElementById(id);

/**
 * Fires "quality", "look" (detail: `{look, moving}`), "uncertainty", and what its buttons are named:
 * "cancel", "again", "same", "download", "download-all", "remove".
 */
export class Panel extends EventTarget {
  #about;
  #pace; // seconds per pass and pixel, told by the service or learnt from the last result
  #sliders = new Map();
  #auto; // the button of the strength

  /** @param about what the service says of itself */
  constructor(about) {
    super();
    this.#about = about;
    this.#pace = about.pace ?? null;
    $("certainty").hidden = about.uncertainty === false;
    this.#makeQualities();
    this.#makeSliders();
    for (const name of ["cancel", "again", "same", "download", "download-all", "remove"]) {
      $(name).addEventListener("click", () => this.#tell(name));
    }
    $("uncertainty").addEventListener("change", () => this.#tell("uncertainty", $("uncertainty").checked));
    $("reset").addEventListener("click", () => {
      this.#tell("look", { look: USUAL, moving: false });
      this.#sliders.values().next().value?.input.focus();
    });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #makeQualities() {
    for (const name of Object.keys(QUALITIES).filter((key) => key in this.#about.qualities)) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "quality", value: name });
      input.setAttribute("aria-describedby", "quality-note");
      input.addEventListener("change", () => this.#tell("quality", name));
      label.append(input, Object.assign(document.createElement("span"), { textContent: QUALITIES[name] }));
      $("quality").append(label);
    }
    const note = Object.assign(document.createElement("p"), { id: "quality-note", className: "soft" });
    $("quality").append(note);
  }

  #makeSliders() {
    for (const [name, words, note] of SLIDERS) {
      const option = this.#about.options[name];
      if (!option) continue;
      const row = document.createElement("div");
      row.className = "slider";
      const label = Object.assign(document.createElement("label"), { htmlFor: name, textContent: words, title: note });
      const value = Object.assign(document.createElement("output"), { htmlFor: name });
      const input = Object.assign(document.createElement("input"), {
        type: "range", id: name, min: option.minimum ?? 0, max: option.maximum ?? 1, step: 0.01, title: note,
      });
      input.addEventListener("input", () => this.#slide(name, true));
      input.addEventListener("change", () => this.#slide(name, false));
      row.append(label, value, input);
      $("sliders").insertBefore(row, $("reset"));
      this.#sliders.set(name, { input, value });
      if (name === "strength") label.after(this.#makeAuto());
    }
    $("sliders").hidden = !this.#sliders.size;
  }

  #makeAuto() {
    this.#auto = Object.assign(document.createElement("button"), {
      type: "button", id: "auto", className: "pill", textContent: "Auto",
      title: "As strong as the noise that was found calls for, in every place",
    });
    this.#auto.setAttribute("aria-label", "Automatic strength");
    this.#auto.addEventListener("click", () => {
      const strength = this.#auto.ariaPressed === "true" ? NEUTRAL.strength : USUAL.strength;
      this.#tell("look", { look: { ...this.#look(), strength }, moving: false });
    });
    return this.#auto;
  }

  /** What the sliders say. */
  #look() {
    const look = { ...NEUTRAL };
    for (const [name, { input }] of this.#sliders) look[name] = Number(input.value);
    if (this.#auto.ariaPressed === "true") look.strength = USUAL.strength;
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
    if (!photo) return;
    this.#learn(photo);
    $("name").textContent = photo.name;
    $("name").title = photo.name;
    $("facts").textContent = photo.there ? facts(photo.there) : "";
    this.#showProgress(photo);
    for (const input of $("quality").querySelectorAll("input")) input.checked = input.value === photo.quality;
    $("quality-note").textContent = this.#qualityNote(photo);
    this.showLook(photo.look);
    this.#showUncertainty(photo, overlay);
    const ready = photo.result !== null;
    $("sliders").disabled = !ready && !photo.patches.length;
    const detail = this.#sliders.get("detail");
    if (detail) detail.input.disabled = !photo.result?.links.explained;
    $("quality").disabled = photo.state === "refused";
    $("download").disabled = !ready;
    const finished = photos.filter(({ result }) => result).length;
    $("download-all").hidden = finished < 2;
    $("download-all").textContent = `Download all ${finished}`;
    $("same").hidden = photos.length < 2 || !this.#sliders.size;
  }

  /** Only the sliders, while one moves. */
  showLook(look) {
    for (const [name, { input, value }] of this.#sliders) {
      const automatic = look[name] === "auto";
      const number = automatic ? NEUTRAL[name] : look[name];
      const words = automatic ? "Auto" : percent(number);
      input.value = number;
      input.style.setProperty("--share", `${(100 * (number - input.min)) / (input.max - input.min)}%`);
      input.setAttribute("aria-valuetext", words);
      value.textContent = automatic ? "" : words;
    }
    this.#auto.ariaPressed = String(look.strength === "auto");
    $("reset").hidden = [...this.#sliders.keys()].every((name) => look[name] === USUAL[name]);
  }

  #showProgress(photo) {
    if (!photo.busy && document.activeElement === $("cancel")) queueMicrotask(() => ($("again").hidden ? $("view") : $("again")).focus());
    $("progress").hidden = !photo.busy;
    const bar = $("progress-bar");
    if (photo.state === "running") bar.value = photo.progress;
    else bar.removeAttribute("value");
    $("progress-text").textContent = sentence(photo);
    const pictured = photo.there && !photo.unreadable;
    $("notice").hidden = pictured || !photo.problem;
    $("notice-text").textContent = photo.problem ?? "";
    $("problem").hidden = !photo.problem || !pictured;
    $("problem").textContent = photo.problem ?? "";
    const stopped = ["stopped", "failed"].includes(photo.state);
    $("again").hidden = !stopped;
    $("again").textContent = photo.state === "failed" ? "Try again" : "Denoise";
  }

  #samples(quality) {
    const { self_ensemble, num_samples, cost = 1 } = this.#about.qualities[quality];
    const symmetries = self_ensemble ? 8 : 1;
    return { samples: symmetries * num_samples, passes: symmetries * (1 + num_samples) * cost };
  }

  #learn({ result }) {
    if (!result?.result?.seconds) return;
    const { width, height, seconds } = result.result;
    const { self_ensemble, num_samples, quality } = result.options;
    const passes = (self_ensemble ? 8 : 1) * (1 + num_samples) * (this.#about.qualities[quality]?.cost ?? 1);
    this.#pace = seconds / (width * height * passes);
  }

  #qualityNote(photo) {
    const { samples, passes } = this.#samples(photo.quality);
    const words = samples === 1 ? "One sample" : `Mean of ${samples} samples`;
    if (!this.#pace || !photo.there) return `${words}.`;
    const seconds = this.#pace * passes * photo.there.width * photo.there.height;
    return `${words}, about ${duration(seconds)} on this machine.`;
  }

  #showUncertainty(photo, overlay) {
    const there = Boolean(photo.result?.links.uncertainty);
    $("uncertainty").disabled = !there;
    $("uncertainty").checked = there && overlay;
    $("ramp").hidden = !(there && overlay);
    $("uncertainty-note").textContent = there
      ? "Nine of ten true values lie within this distance of the result: dark is 0, bright 25 steps of 255 or more."
      : "Comes with the full result.";
  }

  /** While the file is made, how far it is; null at the end. */
  saving(progress) {
    $("download").textContent = progress === null ? "Download" : `Preparing${progress ? ` ${percent(progress)}` : "…"}`;
  }
}

