// What of EXIF decides how a photograph looks: its orientation, and the mark of Adobe RGB.

/** @returns {{orientation: number, adobe: boolean}} 1 and false where there is nothing to read */
export function readExif(exif) {
  const found = { orientation: 1, adobe: false };
  if (!exif || exif.length < 14) return found;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const little = view.getUint16(0) === 0x4949;
  const entries = (at) => {
    const list = new Map();
    if (at + 2 > exif.length) return list;
    for (let k = 0; k < view.getUint16(at, little); k += 1) {
      const place = at + 2 + 12 * k;
      if (place + 12 > exif.length) break;
      list.set(view.getUint16(place, little), place + 8);
    }
    return list;
  };
  try {
    const first = entries(view.getUint32(4, little));
    if (first.has(0x0112)) found.orientation = view.getUint16(first.get(0x0112), little);
    const own = first.has(0x8769) ? entries(view.getUint32(first.get(0x8769), little)) : new Map();
    const interoperability = own.has(0xa005) ? entries(view.getUint32(own.get(0xa005), little)) : new Map();
    if (interoperability.has(1)) {
      const at = interoperability.get(1);
      found.adobe = String.fromCharCode(exif[at], exif[at + 1], exif[at + 2]) === "R03";
    }
  } catch {
    // damaged: the photograph is shown as it lies
  }
  if (!(found.orientation >= 1 && found.orientation <= 8)) found.orientation = 1;
  return found;
}

/** The upright picture's size. */
export const upright = ({ width, height }, orientation) => (orientation > 4 ? { width: height, height: width } : { width, height });

/** Where a pixel of the upright picture lies in the file's: `(x, y) => [x, y]`. */
export function stored({ width, height }, orientation) {
  const [right, bottom] = [width - 1, height - 1];
  return [
    null,
    (x, y) => [x, y],
    (x, y) => [right - x, y],
    (x, y) => [right - x, bottom - y],
    (x, y) => [x, bottom - y],
    (x, y) => [y, x],
    (x, y) => [y, bottom - x],
    (x, y) => [right - y, bottom - x],
    (x, y) => [right - y, x],
  ][orientation];
}
