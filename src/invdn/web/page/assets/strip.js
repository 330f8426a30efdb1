// The filmstrip: every photograph with its state, as a list of buttons.

import { thumbnail } from "./service.js";
import { t } from "./texts.js";
import { state } from "./words.js";

/** Whether results can be dragged out of this browser, as Chromium's can. */
const DRAGS = "chrome" in window;

/**
 * Fires "choose", "remove" and "point" (at one that is done) with the photograph as `detail`, and "drag" with the
 * photograph and the DataTransfer to be filled.
 */
export class Strip extends EventTarget {
  #list;
  #frame;
  #items = new Map();

  constructor(frame, list) {
    super();
    this.#frame = frame;
    this.#list = list;
  }

  /** Lay out the photographs of the table. */
  lay(photos, current) {
    this.#frame.hidden = photos.length < 2;
    for (const [photo, { item }] of this.#items) {
      if (photos.includes(photo)) continue;
      item.remove();
      this.#items.delete(photo);
    }
    for (const photo of photos) if (!this.#items.has(photo)) this.#make(photo);
    this.mark(current);
  }

  #make(photo) {
    const item = document.createElement("li");
    const choose = Object.assign(document.createElement("button"), { type: "button", className: "frame" });
    const picture = Object.assign(document.createElement("img"), { alt: "", draggable: false });
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: photo.name, title: photo.name });
    const status = Object.assign(document.createElement("span"), { className: "status" });
    const bar = Object.assign(document.createElement("i"), { className: "bit" });
    bar.setAttribute("aria-hidden", "true");
    const still = document.createElement("span");
    still.className = "still";
    still.append(picture);
    picture.addEventListener("error", () => picture.removeAttribute("src"));
    choose.append(still, bar, name, status);
    choose.addEventListener("click", () => this.dispatchEvent(new CustomEvent("choose", { detail: photo })));
    choose.addEventListener("pointerenter", () => choose.draggable && this.dispatchEvent(new CustomEvent("point", { detail: photo })));
    choose.addEventListener("dragstart", (event) => {
      const detail = { photo, transfer: event.dataTransfer };
      if (!this.dispatchEvent(new CustomEvent("drag", { detail, cancelable: true }))) event.preventDefault();
    });
    const away = Object.assign(document.createElement("button"), { type: "button", className: "away", title: t("remove") });
    away.setAttribute("aria-label", t("removeNamed", { name: photo.name }));
    away.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 7l10 10M17 7 7 17"/></svg>';
    away.addEventListener("click", () => this.dispatchEvent(new CustomEvent("remove", { detail: photo })));
    item.append(choose, away);
    this.#list.append(item);
    this.#items.set(photo, { item, choose, picture, status, bar });
    this.tell(photo);
  }

  /** Show the state of one photograph. */
  tell(photo) {
    const parts = this.#items.get(photo);
    if (!parts) return;
    parts.item.dataset.state = photo.state;
    parts.status.textContent = state(photo);
    parts.choose.draggable = DRAGS && photo.state === "done";
    parts.choose.title = parts.choose.draggable ? t("dragOut") : "";
    parts.bar.style.setProperty("--share", photo.state === "running" ? photo.progress : 0);
    const address = photo.small === null && photo.there ? thumbnail(photo.there) : photo.small;
    if (address && parts.shown !== address) {
      parts.shown = address;
      parts.picture.src = address;
    }
  }

  mark(current) {
    for (const [photo, { choose, item }] of this.#items) {
      if (photo === current) {
        choose.setAttribute("aria-current", "true");
        item.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else choose.removeAttribute("aria-current");
    }
  }
}
