// Hands on the photograph: mouse, fingers, wheel and keys become moves of the viewer.

const WHEEL = 0.0018; // of a zoom step per pixel of the wheel
const STRIDE = 64; // CSS pixels that an arrow key moves
const OWN_KEYS = "input, select, textarea, dialog, [role=slider]";
const DOUBLE = 350; // ms between the taps of a double tap

/**
 * @param view    the element that takes the gestures
 * @param wipe    the handle of the boundary
 * @param viewer  the Viewer
 * @param keys    further keys: `{u: () => ...}`
 */
export function listen(view, wipe, viewer, keys) {
  pointers(view, viewer);
  boundary(wipe, view, viewer);
  view.addEventListener("wheel", (event) => {
    if (!viewer.viewport) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 33 : 1) * (event.ctrlKey ? 5 : 1);
    const [across, down] = place(event, view, viewer);
    viewer.move((v) => v.zoomTo(v.zoom * Math.exp(-pixels * WHEEL), across, down));
  }, { passive: false });
  // everywhere but in what has keys of its own
  addEventListener("keydown", (event) => {
    if (!event.defaultPrevented && viewer.viewport && !event.target.closest?.(OWN_KEYS)) keyDown(event, viewer, keys, view);
  });
  addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === "b") viewer.set({ held: false });
  });
  addEventListener("blur", () => viewer.set({ held: false }));
}

/** Where an event lies in the window it happens in, in screen pixels. */
function place(event, view, viewer) {
  const box = view.getBoundingClientRect();
  const [across, down] = [(event.clientX - box.left) * viewer.density, (event.clientY - box.top) * viewer.density];
  const pane = viewer.panes.findLast(({ left, top }) => across >= left && down >= top) ?? viewer.panes[0];
  return [across - pane.left, down - pane.top];
}

/** 100 % where it is not yet, else the whole. */
export function toggle(viewer, across, down) {
  viewer.move((v) => (v.zoom === 1 && !v.fitted ? v.fit() : v.zoomTo(1, across, down)));
}

function pointers(view, viewer) {
  const fingers = new Map();
  let tapped = { time: 0, x: 0, y: 0 };
  let pinched = false;

  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { distance: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
  };

  view.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !viewer.viewport) return;
    view.setPointerCapture(event.pointerId);
    if (!fingers.size) pinched = false;
    fingers.set(event.pointerId, place(event, view, viewer));
    view.classList.add("dragging");
  });

  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = place(event, view, viewer);
    const old = fingers.size === 2 ? spread() : null;
    fingers.set(event.pointerId, now);
    if (old) {
      pinched = true;
      const { distance, middle } = spread();
      viewer.move((v) => {
        v.pan(middle[0] - old.middle[0], middle[1] - old.middle[1]);
        v.zoomTo((v.zoom * distance) / Math.max(1, old.distance), ...middle);
      });
    } else if (viewer.viewport.overflows || viewer.beside) {
      viewer.move((v) => v.pan(now[0] - before[0], now[1] - before[1]));
    } else {
      const [{ across }] = viewer.panes; // nothing to move: the drag moves the boundary
      viewer.set({ wipe: clamp(viewer.wipe + (now[0] - before[0]) / across) });
    }
  });

  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (!fingers.size) view.classList.remove("dragging");
    if (event.type === "pointercancel" || pinched) return;
    const near = Math.hypot(event.clientX - tapped.x, event.clientY - tapped.y) < 24;
    if (near && event.timeStamp - tapped.time < DOUBLE) {
      tapped = { time: 0, x: 0, y: 0 };
      toggle(viewer, ...place(event, view, viewer));
    } else tapped = { time: event.timeStamp, x: event.clientX, y: event.clientY };
  };
  view.addEventListener("pointerup", lift);
  view.addEventListener("pointercancel", lift);
}

const clamp = (share) => Math.min(1, Math.max(0, share));

function boundary(wipe, view, viewer) {
  wipe.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    wipe.setPointerCapture(event.pointerId);
    event.preventDefault();
    wipe.focus({ focusVisible: false });
  });
  wipe.addEventListener("pointermove", (event) => {
    if (!wipe.hasPointerCapture(event.pointerId)) return;
    const box = view.getBoundingClientRect();
    viewer.set({ wipe: clamp((event.clientX - box.left) / box.width) });
  });
  wipe.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 }[event.key];
    const to = { Home: 0, End: 1 }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    viewer.set({ wipe: to ?? clamp(viewer.wipe + by) });
  });
}

function keyDown(event, viewer, keys, view) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // arrows and pages scroll elsewhere, and move in toolbars
  if (event.key.length > 1 && event.target !== view && event.target !== document.body) return;
  const stride = STRIDE * viewer.density;
  const moves = {
    "+": (v) => v.step(1), "=": (v) => v.step(1), "-": (v) => v.step(-1), "−": (v) => v.step(-1),
    0: (v) => v.fit(), 1: (v) => v.zoomTo(1),
    ArrowLeft: (v) => v.pan(stride, 0), ArrowRight: (v) => v.pan(-stride, 0),
    ArrowUp: (v) => v.pan(0, stride), ArrowDown: (v) => v.pan(0, -stride),
  };
  const others = {
    "[": () => viewer.set({ wipe: clamp(viewer.wipe - 0.05) }),
    "]": () => viewer.set({ wipe: clamp(viewer.wipe + 0.05) }),
    b: () => viewer.held || viewer.set({ held: true }),
    ...keys,
  };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (moves[key]) viewer.move(moves[key]);
  else if (others[key]) others[key]();
  else return;
  event.preventDefault();
}
