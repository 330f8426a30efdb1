// What this browser can run: SIMD, relaxed SIMD, threads.

import { words } from "./words.js";

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
function threadsFor(processors = globalThis.navigator?.hardwareConcurrency ?? 1) {
  return Math.min(8, processors > 2 ? processors - 1 : processors);
}

/** Why this browser cannot work; null where it can. */
export function lacking() {
  if (typeof WebAssembly !== "object") return words.noWebAssembly;
  return support().simd ? null : words.noSimd;
}

/** A file of the page's own. */
export async function loaded(address) {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) throw new Error(words.notLoaded);
  return answer;
}

/**
 * The builds of the engine that this browser may run, the fastest first: one that takes shared memory
 * may still be refused it.
 *
 * @param {string} base  address of the folder that holds `engine/`
 * @returns {Promise<{folder: string, threads: number}[]>}
 */
export async function buildsFor(base) {
  const lack = lacking();
  if (lack) throw new Error(lack);
  const { relaxed, threads } = support();
  const there = await (await loaded(`${base}engine/builds.json`)).json();
  const kinds = relaxed ? ["relaxed", "simd"] : ["simd"];
  const wanted = [...(threads ? kinds.map((kind) => `${kind}-threads`) : []), ...kinds];
  return wanted.filter((name) => there.includes(name))
    .map((name) => ({ folder: `${base}engine/${name}/`, threads: name.endsWith("threads") ? threadsFor() : 1 }));
}
