// Places in the memory of a module that emscripten made.

/** Thrown where the photograph needs more memory than the browser gives. */
export class OutOfMemory extends Error {
  name = "OutOfMemory";

  constructor() {
    super("out of memory");
  }
}

export class Room {
  #module;
  #places = [];

  constructor(module) {
    this.#module = module;
  }

  /** A place of so many bytes. */
  take(bytes) {
    const place = this.#module._malloc(bytes);
    if (!place) throw new OutOfMemory();
    this.#places.push(place);
    return place;
  }

  /** A place that holds a copy of a typed array. */
  keep(array) {
    const place = this.take(array.byteLength);
    // Views of the memory are made anew when it grows: look at it after `take`.
    this.#module.HEAPU8.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), place);
    return place;
  }

  /** Throws where a call says that memory was missing. */
  check(status) {
    if (status !== 0) throw new OutOfMemory();
  }

  free() {
    for (const place of this.#places.splice(0)) this.#module._free(place);
  }
}
