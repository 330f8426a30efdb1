// The canvas: draws a scene through a viewport, before and after, sharp at every zoom.
//
//   scene tiles ── put together at their own scale ── one picture, drawn at the zoom
//
// One pixel of the canvas is one pixel of the screen. From 100 % up pixels are enlarged as squares,
// below they are averaged; tiles meet before they are scaled, so that no seam can show.

import { TILE } from "./layers.js";
import { Viewport } from "./viewport.js";

const BUDGET = 1.5e6; // samples that are blended at once while a slider moves

/** What the browser says, unless it is off by more than rounding (Safari: nothing; emulated screens: CSS pixels). */
const screenPixels = (told, computed) => Math.max(1, Math.abs(told - computed) < 2 ? told : Math.round(computed));

export class Viewer extends EventTarget {
  scene = null;
  viewport = null;
  wipe = 0.5; // share of the window's width that shows before
  beside = false; // before and after beside each other
  held = false; // only before
  moving = false; // a slider is being moved: quick rather than fine
  outline = null; // region of the photograph that is marked: {x, y, w, h}
  seen = false; // something of the photograph is on the canvas
  #canvas;
  #context;
  #due = 0;
  #boards = [new OffscreenCanvas(1, 1), new OffscreenCanvas(1, 1)];

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    const watcher = new ResizeObserver(([entry]) => this.#resize(entry));
    try {
      watcher.observe(canvas, { box: "device-pixel-content-box" });
    } catch {
      watcher.observe(canvas); // Safari
    }
    this.background = "#777";
  }

  /** Show a scene (null: nothing), where it was left or fitted. */
  show(scene, viewport = null) {
    this.scene = scene;
    this.viewport = scene && (viewport ?? new Viewport(scene.width, scene.height));
    this.#lay();
  }

  /** Draw at the next frame. */
  redraw() {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      this.#draw();
      this.dispatchEvent(new Event("drawn"));
    });
  }

  /** Run a change of the viewport, then draw and tell. */
  move(change) {
    if (!this.viewport) return;
    change(this.viewport);
    this.redraw();
    this.dispatchEvent(new Event("move"));
  }

  set({ ...values }) {
    Object.assign(this, values);
    this.#lay();
  }

  /** Screen pixels per CSS pixel. */
  get density() {
    return this.#canvas.width / Math.max(1, this.#canvas.clientWidth);
  }

  /** The windows of the canvas: `{left, top, across, down}`; one, or two beside each other. */
  get panes() {
    const { width, height } = this.#canvas;
    if (!this.beside) return [{ left: 0, top: 0, across: width, down: height }];
    const wide = width >= height;
    const gap = Math.round(2 * this.density);
    const [across, down] = wide ? [(width - gap) >> 1, height] : [width, (height - gap) >> 1];
    return [
      { left: 0, top: 0, across, down },
      { left: wide ? width - across : 0, top: wide ? 0 : height - down, across, down },
    ];
  }

  #resize(entry) {
    const [box] = entry.devicePixelContentBoxSize ?? [];
    const density = window.devicePixelRatio;
    this.#canvas.width = screenPixels(box?.inlineSize, entry.contentRect.width * density);
    this.#canvas.height = screenPixels(box?.blockSize, entry.contentRect.height * density);
    this.#lay(true);
  }

  #lay(now = false) {
    const [{ across, down }] = this.panes;
    this.viewport?.resize(across, down);
    if (now) this.#draw();
    else this.redraw();
    this.dispatchEvent(new Event("move"));
  }

  #draw() {
    const context = this.#context;
    const { width, height } = this.#canvas;
    context.fillStyle = this.background;
    context.fillRect(0, 0, width, height);
    this.seen = false;
    if (!this.scene) return;
    const [first, second] = this.panes;
    if (second) {
      this.#paint(first, { ...first, side: "before" });
      this.#paint(second, { ...second, side: this.held ? "before" : "after" });
      this.#mark(second);
      return;
    }
    const boundary = this.held ? width : Math.round(width * this.wipe);
    if (boundary > 0) this.#paint(first, { ...first, across: boundary, side: "before" });
    if (boundary < width) this.#paint(first, { ...first, left: boundary, across: width - boundary, side: "after" });
    this.#mark(first);
  }

  /** Draw the outline, in white on black so that it shows on everything. */
  #mark(pane) {
    if (!this.outline || this.held || !this.seen) return;
    const { x, y, w, h } = this.outline;
    const [left, top] = this.viewport.origin;
    const { zoom } = this.viewport;
    const context = this.#context;
    const box = [pane.left + left + x * zoom, pane.top + top + y * zoom, w * zoom, h * zoom].map(Math.round);
    context.save();
    context.beginPath();
    context.rect(pane.left, pane.top, pane.across, pane.down);
    context.clip();
    context.lineWidth = Math.max(1, Math.round(this.density));
    context.strokeStyle = "#000";
    context.strokeRect(...box);
    context.setLineDash([6 * this.density, 6 * this.density]);
    context.strokeStyle = "#fff";
    context.strokeRect(...box);
    context.restore();
  }

  /** Where the photograph lies in the canvas, in CSS pixels: `{left, top, right, bottom}` of each window. */
  get frames() {
    if (!this.viewport) return [];
    const [x, y] = this.viewport.origin;
    const { width, height, zoom } = this.viewport;
    return this.panes.map(({ left, top, across, down }) => ({
      left: (left + Math.max(0, x)) / this.density, top: (top + Math.max(0, y)) / this.density,
      right: (left + Math.min(across, x + width * zoom)) / this.density, bottom: (top + Math.min(down, y + height * zoom)) / this.density,
    }));
  }

  /** Draw one side of the scene through `pane`, clipped to `part` of the canvas. */
  #paint(pane, part) {
    const view = this.viewport;
    const [left, top] = view.origin;
    const [x0, y0] = view.toPhoto(part.left - pane.left, part.top - pane.top);
    const [x1, y1] = view.toPhoto(part.left - pane.left + part.across, part.top - pane.top + part.down);
    const region = {
      x: Math.max(0, Math.floor(x0)), y: Math.max(0, Math.floor(y0)),
      right: Math.min(view.width, Math.ceil(x1)), bottom: Math.min(view.height, Math.ceil(y1)),
    };
    if (region.right <= region.x || region.bottom <= region.y) return;
    const level = this.#level(region, part.side);
    const board = this.#boards[part.side === "before" ? 0 : 1];
    const at = this.#assemble(board, region, level, part.side);
    const shrink = 1 << level;
    const context = this.#context;
    context.save();
    context.beginPath();
    context.rect(part.left, part.top, part.across, part.down);
    context.clip();
    context.beginPath(); // the last sample of a level may reach beyond the photograph
    context.rect(pane.left + left, pane.top + top, Math.round(view.width * view.zoom), Math.round(view.height * view.zoom));
    context.clip();
    context.imageSmoothingEnabled = view.zoom * shrink < 1;
    context.imageSmoothingQuality = "high";
    const scale = view.zoom * shrink;
    context.drawImage(
      board, 0, 0, at.columns, at.rows,
      pane.left + left + at.column * scale, pane.top + top + at.row * scale, at.columns * scale, at.rows * scale,
    );
    context.restore();
  }

  /** The coarsest level that still has a sample for every pixel of the screen. */
  #level(region, side) {
    const fine = Math.min(this.scene.coarsest, Math.max(0, Math.floor(Math.log2(1 / this.viewport.zoom) + 1e-9)));
    if (!this.moving || side === "before") return fine;
    const samples = ((region.right - region.x) * (region.bottom - region.y)) / 4 ** fine;
    return Math.min(this.scene.coarsest, fine + (samples > BUDGET ? 1 : 0));
  }

  /** Put the tiles of a region side by side; answers which samples of the level are on the board. */
  #assemble(board, region, level, side) {
    const shrink = 1 << level;
    const column = Math.floor(region.x / shrink);
    const row = Math.floor(region.y / shrink);
    const columns = Math.ceil(region.right / shrink) - column;
    const rows = Math.ceil(region.bottom / shrink) - row;
    if (board.width < columns || board.height < rows) {
      board.width = Math.max(board.width, columns);
      board.height = Math.max(board.height, rows);
    }
    const context = board.getContext("2d");
    context.clearRect(0, 0, columns, rows);
    for (let r = Math.floor(row / TILE); r * TILE < row + rows; r += 1) {
      for (let c = Math.floor(column / TILE); c * TILE < column + columns; c += 1) {
        const tile = this.scene[side](level, c, r);
        if (tile) this.#put(context, tile, c * TILE - column, r * TILE - row);
        else this.#fill(context, level, c, r, column, row, side);
      }
    }
    return { column, row, columns, rows };
  }

  #put(context, tile, ...place) {
    this.seen = true;
    context.drawImage(tile, ...place);
  }

  /** Until a tile comes, the same place from a coarser level, or the photograph before. */
  #fill(context, level, c, r, column, row, side) {
    for (let up = 1; level + up <= this.scene.coarsest; up += 1) {
      const tile = this.scene[side](level + up, c >> up, r >> up);
      if (!tile) continue;
      const size = TILE >> up;
      const [x, y] = [(c % (1 << up)) * size, (r % (1 << up)) * size];
      const [w, h] = [Math.min(size, tile.width - x), Math.min(size, tile.height - y)];
      if (w > 0 && h > 0) this.#put(context, tile, x, y, w, h, c * TILE - column, r * TILE - row, w << up, h << up);
      return;
    }
    if (side === "after") {
      const tile = this.scene.before(level, c, r);
      if (tile) this.#put(context, tile, c * TILE - column, r * TILE - row);
      else if (level < this.scene.coarsest) this.#fill(context, level, c, r, column, row, "before");
    }
  }
}
