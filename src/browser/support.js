// What this browser can run: SIMD, relaxed SIMD, threads.

const module = (...code) => Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, code.length + 4, 1, code.length + 2, 0, ...code, 11]);
/** A function whose body is `v128.const 0; i8x16.popcnt`. */
const SIMD = module(0xfd, 12, ...Array(16).fill(0), 0xfd, 98);
/** The same with `f32x4.relaxed_madd` of three constants. */
const constant = [0xfd, 12, ...Array(16).fill(0)];
const RELAXED = module(...constant, ...constant, ...constant, 0xfd, 0x85, 2);

/** What there is of WebAssembly here. */
export function support() {
  const wasm = typeof WebAssembly === "object";
  return {
    simd: wasm && WebAssembly.validate(SIMD),
    relaxed: wasm && WebAssembly.validate(RELAXED),
    threads: wasm && globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function",
  };
}

/** Threads that leave the page one processor where there are more than two. */
export function threadsFor(processors = globalThis.navigator?.hardwareConcurrency ?? 1) {
  return Math.min(8, processors > 2 ? processors - 1 : processors);
}

/**
 * The build of the engine that suits this browser.
 *
 * @param {string} base  address of the folder that holds `engine/`
 * @returns {Promise<{folder: string, threads: number}>}
 */
export async function buildFor(base) {
  const { simd, relaxed, threads } = support();
  if (!simd) throw new Error("This browser is too old: it lacks WebAssembly with SIMD, which Chrome 91, Firefox 89, Safari 16.4 and later have.");
  const builds = await fetch(`${base}engine/builds.json`).then((answer) => answer.json());
  const wanted = ["relaxed", "simd"].filter((kind) => kind === "simd" || relaxed).flatMap((kind) => (threads ? [`${kind}-threads`, kind] : [kind]));
  const name = wanted.find((one) => builds.includes(one));
  return { folder: `${base}engine/${name}/`, threads: name.endsWith("threads") ? threadsFor() : 1 };
}
