// What node needs where a browser has fetch and importScripts.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

/**
 * A module that emscripten made.
 *
 * @param {string} script  path of its script; the .wasm file lies beside it
 * @returns {Promise<(options?: object) => Promise<object>>} its factory
 */
export async function factoryOf(script) {
  const made = createRequire(import.meta.url)(script);
  // Its own loader takes node 18 and later for a browser, and asks fetch for a path.
  const wasmBinary = await readFile(script.replace(/\.js$/, ".wasm"));
  return (options = {}) => made({ wasmBinary, ...options });
}
