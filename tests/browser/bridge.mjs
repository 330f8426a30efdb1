// Runs the browser's rules for a test in Python: a JSON request on standard input, a JSON answer out.
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

const source = new URL("../../src/browser/", import.meta.url);
const load = (name) => import(new URL(name, source));
const kinds = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const array = ({ dtype, data }) => {
  const bytes = Buffer.from(data, "base64");
  return new kinds[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
};
const packed = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
const picture = ({ shape: [height, width, channels], ...rest }) => ({ height, width, channels, data: array(rest) });

const pixelWork = async (script, layers) => {
  const factory = await (await load("node.js")).factoryOf(script);
  return new (await load("image/pixel_work.js")).PixelWork(await factory(), layers);
};

const request = JSON.parse(readFileSync(0, "utf8"));
const rules = {
  async noise_estimate({ pixels }) {
    return (await load("image/noise_estimation.js")).estimateNoise(picture(pixels));
  },
  async noise_shares({ noisy, denoised, noise, layers, towards = 0, pixels }) {
    const { logitsOfCells, sharesOfRow, trustIn } = await load("image/noise_shares.js");
    const { height, width, channels, data } = picture(noisy);
    const work = await pixelWork(pixels, layers);
    const logits = logitsOfCells(work, data, picture(denoised).data, { height, width, channels }, noise);
    const cells = work.shares(logits, noise ? towards + trustIn(noise) : 0);
    const [rows, columns] = [Math.ceil(height / 4), Math.ceil(width / 4)];
    const shares = new Float32Array(height * width * 2);
    for (let y = 0; y < height; y += 1) sharesOfRow(cells, rows, columns, y, width, shares.subarray(2 * y * width, 2 * (y + 1) * width));
    return packed(shares);
  },
  async error_map({ noisy, result, noise, layers }) {
    const { errorAt, errorOfBlocks } = await load("image/error_map.js");
    const { height, width, channels, data } = picture(noisy);
    const blocks = errorOfBlocks(data, picture(result).data, { height, width, channels }, noise, layers);
    const size = [Math.ceil(height / 8), Math.ceil(width / 8)];
    return packed(Float32Array.from({ length: height * width }, (_, i) => errorAt(blocks, ...size, i % width, Math.floor(i / width))));
  },
  async mend({ pixels }) {
    const { picture: mended, found } = (await load("image/defects.js")).mend(picture(pixels));
    return { found, data: packed(mended.data) };
  },
  async colors({ pixels, clean, icc, exif }) {
    const { adobe } = (await load("formats/exif.js")).readExif(exif && new Uint8Array(Buffer.from(exif, "base64")));
    const { networkSpace, toNetwork, fromNetwork } = await load("image/colors.js");
    const { floatRows } = await load("image/picture.js");
    const there = picture(pixels);
    const { space, remark } = networkSpace(there, icc && new Uint8Array(Buffer.from(icc, "base64")), adobe);
    const noisy = floatRows(there, 0, there.height);
    const seen = toNetwork(space, noisy.slice(), there.channels);
    const back = fromNetwork(space, array(clean), noisy, there.channels);
    return { remark, converted: space !== null, seen: packed(seen), back: packed(back) };
  },
  async dither({ clean, noisy, means, place, layers, pixels }) {
    const [work, result] = [await pixelWork(pixels, layers), array(clean)];
    return packed(work.dithered(result, result, array(noisy), array(means), place));
  },
  async blend({ noisy, clean, shares, look, channels }) {
    const { blend } = await load("image/blending.js");
    const result = array(clean);
    blend(array(noisy), result, shares && array(shares), look, channels);
    return packed(result);
  },
  async stars({ noisy, clean, top, count }) {
    const { findStars, keepStars } = await load("image/stars.js");
    const { height, width, channels, data } = picture(noisy);
    const [first, last] = [Math.max(0, top - 3), Math.min(height, top + count + 3)];
    const rows = (values, from, to) => values.slice(from * width * channels, to * width * channels);
    const result = rows(array(clean), top, top + count);
    keepStars(result, rows(data, first, last), { width, channels, count, before: top - first });
    return { places: findStars(data, width, channels), kept: packed(result) };
  },
  async engine({ build, model, noisy, piece, threads, stopAfter, larger }) {
    // What node 20 has behind a flag, and later ones do unasked.
    if (build.includes("relaxed")) setFlagsFromString("--experimental-wasm-relaxed-simd");
    const factory = await (await load("node.js")).factoryOf(`${build}/invdn.js`);
    const { Engine } = await load("engine.js");
    let asked = 0;
    const monitor = () => Number(stopAfter !== undefined && (asked += 1) > stopAfter);
    const weights = array(model.weights);
    const engine = await Engine.open(factory, { ...model, weights }, { threads, options: { monitor } });
    if (larger) engine.session(...larger);
    const { height, width, data } = picture({ ...noisy, shape: [noisy.shape[1], noisy.shape[2], noisy.shape[0]] });
    const rows = piece || height;
    const result = new Float32Array(3 * height * width);
    const session = engine.session(height, width, rows);
    for (let top = 0; top < height; top += rows) {
      const count = Math.min(rows, height - top);
      const planes = new Float32Array(3 * count * width);
      for (let c = 0; c < 3; c += 1) planes.set(data.subarray((c * height + top) * width, (c * height + top + count) * width), c * count * width);
      for (const part of session.push(planes)) {
        for (let c = 0; c < 3; c += 1) result.set(part.planes.subarray(c * part.count * width, (c + 1) * part.count * width), (c * height + part.top) * width);
      }
    }
    session.close();
    return { image: packed(result), instructions: engine.instructions };
  },
  async halves({ bits }) {
    return packed((await load("model.js")).halves(array(bits)));
  },
};
try {
  process.stdout.write(JSON.stringify(await rules[request.rule](request)), () => process.exit());
} catch (error) {
  process.stderr.write(`${error.name}: ${error.message}\n`, () => process.exit(1));
}
