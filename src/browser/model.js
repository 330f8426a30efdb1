// Weights from a .safetensors file of float32 or float16 numbers, in the order of the engine.

/** @returns {Float32Array} the same numbers */
export function halves(bits) {
  const result = new Float32Array(bits.length);
  const words = new Uint32Array(result.buffer);
  for (let i = 0; i < bits.length; i += 1) {
    const [exponent, fraction] = [(bits[i] >> 10) & 31, bits[i] & 1023];
    const sign = (bits[i] & 0x8000) << 16;
    if (exponent === 0) {
      result[i] = (fraction / 16777216) * (sign ? -1 : 1);
      if (fraction === 0) words[i] = sign;
    } else words[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return result;
}

/**
 * @param {ArrayBuffer} file
 * @returns {{blocks: number[], features: number, channels: number, weights: Float32Array}}
 */
export function readModel(file) {
  const view = new DataView(file);
  const length = file.byteLength > 8 ? Number(view.getBigUint64(0, true)) : 0;
  if (length < 2 || 8 + length > file.byteLength) throw new Error("the model's file is damaged");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
  const { blocks, features, channels } = JSON.parse(header.__metadata__.architecture);
  const names = [];
  let operation = 0;
  for (const count of blocks) {
    for (let block = 1; block <= count; block += 1) {
      for (const subnet of "FGH") {
        for (const convolution of ["conv1", "conv2", "conv3"]) {
          for (const kind of ["weight", "bias"]) names.push(`operations.${operation + block}.${subnet}.${convolution}.${kind}`);
        }
      }
    }
    operation += 1 + count;
  }
  const parts = names.map((name) => {
    const { dtype, data_offsets: [begin, end] } = header[name];
    const bytes = file.slice(8 + length + begin, 8 + length + end);
    if (dtype === "F32") return new Float32Array(bytes);
    if (dtype === "F16") return halves(new Uint16Array(bytes));
    throw new Error(`the model's numbers are ${dtype}, not F32 or F16`);
  });
  const weights = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    weights.set(part, at);
    at += part.length;
  }
  return { blocks, features, channels, weights };
}
