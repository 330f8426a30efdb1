// A trial: the network through WebGPU, for pictures up to a megapixel (docs/browser.md). The page takes it
// where its address ends with `?webgpu`; what is larger goes through the engine in WebAssembly.

const MOST = 1 << 20; // pixels: a map of 64 features takes 64 bytes for each
const [SIDE, OUTPUTS] = [8, 8]; // pixels on a side of a workgroup, outputs of an invocation

const CODE = `
struct Shape { width: u32, height: u32, of_a: u32, of_b: u32, outputs: u32, weights: u32, start: u32, mode: u32 }
@group(0) @binding(0) var<uniform> s: Shape;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> to: array<f32>;

// The pixels around one, of a plane of a or of b; 0 beyond the border.
fn taps_of(of_a: bool, plane: u32, x: u32, y: u32) -> array<f32, 9> {
  var taps: array<f32, 9>;
  for (var k = 0u; k < 9; k++) {
    let column = x + k % 3 - 1;
    let row = y + k / 3 - 1;
    if (column >= s.width || row >= s.height) { continue; }
    let at = (plane * s.height + row) * s.width + column;
    if (of_a) { taps[k] = a[at]; } else { taps[k] = b[at]; }
  }
  return taps;
}

// A 3x3 convolution of \`of_a\` planes of a, from the plane \`start\` on, and \`of_b\` planes of b; mode 1: with
// the LeakyReLU behind it.
@compute @workgroup_size(${SIDE}, ${SIDE})
fn convolve(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= s.width || id.y >= s.height) { return; }
  let inputs = s.of_a + s.of_b;
  let first = id.z * ${OUTPUTS};
  var sums: array<f32, ${OUTPUTS}>; // what lies beyond the last output is reckoned, and left
  for (var o = 0u; o < ${OUTPUTS}; o++) { sums[o] = weights[s.weights + s.outputs * inputs * 9 + first + o]; }
  for (var i = 0u; i < inputs; i++) {
    let of_a = i < s.of_a;
    let taps = taps_of(of_a, select(i - s.of_a, s.start + i, of_a), id.x, id.y);
    for (var o = 0u; o < ${OUTPUTS}; o++) {
      let at = s.weights + ((first + o) * inputs + i) * 9;
      for (var k = 0u; k < 9; k++) { sums[o] += weights[at + k] * taps[k]; }
    }
  }
  for (var o = 0u; o < min(${OUTPUTS}, s.outputs - first); o++) {
    var value = sums[o];
    if (s.mode == 1 && value < 0) { value *= 0.2; }
    to[((first + o) * s.height + id.y) * s.width + id.x] = value;
  }
}

// What a coupling does with what its subnets made (src/invdn/network/coupling.py): 0 adds F, 1 takes it
// off; 2 scales by H, which is b, and adds G, which is a; 3 undoes that.
@compute @workgroup_size(${SIDE * SIDE})
fn couple(@builtin(global_invocation_id) id: vec3u) {
  let count = s.width * s.height;
  if (id.x >= count) { return; }
  let i = id.y * count + id.x;
  let at = s.start * count + i;
  switch (s.mode) {
    case 0 { to[at] += a[i]; }
    case 1 { to[at] -= a[i]; }
    case 2 { to[at] = to[at] * exp(scale(b[i])) + a[i]; }
    default { to[at] = (to[at] - a[i]) * exp(-scale(b[i])); }
  }
}
fn scale(h: f32) -> f32 { return 1 - 2 / (exp(h) + 1); }

// One level of the wavelets, of \`of_a\` colours and a small picture of width x height; mode 1 undoes it.
@compute @workgroup_size(${SIDE}, ${SIDE})
fn haar(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= s.width || id.y >= s.height) { return; }
  let band = s.of_a * s.width * s.height;
  let small = (id.z * s.height + id.y) * s.width + id.x;
  let large = ((id.z * s.height + id.y) * 2 * s.width + id.x) * 2;
  let below = large + 2 * s.width;
  var v: vec4f;
  if (s.mode == 0) { v = vec4f(a[large], a[large + 1], a[below], a[below + 1]); }
  else { v = vec4f(a[small], a[small + band], a[small + 2 * band], a[small + 3 * band]); }
  let r = vec4f(v.x + v.y + (v.z + v.w), v.x - v.y + (v.z - v.w), v.x + v.y - (v.z + v.w), v.x - v.y - (v.z - v.w));
  if (s.mode == 0) {
    to[small] = r.x / 4;
    to[small + band] = r.y / 4;
    to[small + 2 * band] = r.z / 4;
    to[small + 3 * band] = r.w / 4;
  } else {
    to[large] = r.x;
    to[large + 1] = r.y;
    to[below] = r.z;
    to[below + 1] = r.w;
  }
}`;

export class GpuEngine {
  #device;
  #pipelines;
  #weights;
  #model;
  #larger;

  constructor(device, model, larger) {
    this.#device = device;
    this.#model = model;
    this.#larger = larger;
    const module = device.createShaderModule({ code: CODE });
    const kinds = ["uniform", "read-only-storage", "read-only-storage", "read-only-storage", "storage"];
    const layout = device.createBindGroupLayout({
      entries: kinds.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    this.#pipelines = { layout };
    for (const entryPoint of ["convolve", "couple", "haar"]) {
      this.#pipelines[entryPoint] = device.createComputePipeline({ layout: pipelineLayout, compute: { module, entryPoint } });
    }
    this.#weights = this.#buffer(model.weights.byteLength, GPUBufferUsage.COPY_DST);
    device.queue.writeBuffer(this.#weights, 0, model.weights);
    const { scale, channels } = larger;
    Object.assign(this, { scale, channels, threads: larger.threads, instructions: "webgpu" });
  }

  /**
   * @param {{blocks: number[], features: number, channels: number, weights: Float32Array}} model
   * @param {object} larger  the engine for larger pictures
   * @returns {Promise<GpuEngine | null>} null where the browser gives no WebGPU
   */
  static async open(model, larger) {
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: "high-performance" });
    return adapter ? new GpuEngine(await adapter.requestDevice(), model, larger) : null;
  }

  #buffer(size, usage) {
    return this.#device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | usage });
  }

  /** Of the other engine: how fast this one is, is not known before. */
  pace() {
    return this.#larger.pace();
  }

  memory() {
    return this.#larger.memory();
  }

  close() {
    this.#device.destroy();
    this.#larger.close();
  }

  /** Begin a picture; all of it is pushed at once, or it goes to the other engine. */
  async session(height, width, piece = height) {
    if (height * width > MOST || piece < height) return this.#larger.session(height, width);
    const { features, channels } = this.#model;
    const device = this.#device;
    const bytes = 4 * height * width;
    const maps = [channels, channels, features / 4, features / 4, channels, channels].map((planes) =>
      this.#buffer(planes * bytes, GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST));
    const answer = device.createBuffer({ size: channels * bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const shapes = [];
    const close = () => {
      for (const buffer of [...maps, ...shapes, answer]) buffer.destroy();
    };
    const work = this.#work(maps, shapes, height, width);
    const push = async (planes) => {
      device.queue.writeBuffer(maps[0], 0, planes);
      for (const part of work) {
        const encoder = device.createCommandEncoder();
        part(encoder);
        device.queue.submit([encoder.finish()]);
      }
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(maps[0], 0, answer, 0, channels * bytes);
      device.queue.submit([encoder.finish()]);
      await answer.mapAsync(GPUMapMode.READ);
      const image = new Float32Array(answer.getMappedRange().slice(0));
      answer.unmap();
      return [{ top: 0, count: height, planes: image }];
    };
    return { piece: height, push, close };
  }

  /** What is to be done with the picture in the first of the maps, in parts that are submitted one by one. */
  #work([picture, other, first, second, g, h], shapes, height, width) {
    const device = this.#device;
    const { blocks, features, channels } = this.#model;
    const parts = [];
    let [now, next] = [picture, other];
    let [rows, columns, planes] = [height, width, channels];
    let group = [];
    const step = (name, { a, b, to, groups, ...shape }) => {
      const { ofA = 0, ofB = 0, outputs = 0, weights = 0, from = 0, mode = 0 } = shape;
      const numbers = Uint32Array.of(columns, rows, ofA, ofB, outputs, weights, from, mode);
      const uniform = device.createBuffer({ size: numbers.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
      device.queue.writeBuffer(uniform, 0, numbers);
      shapes.push(uniform);
      const buffers = [uniform, this.#weights, a, b, to];
      const bind = device.createBindGroup({ layout: this.#pipelines.layout, entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
      group.push({ pipeline: this.#pipelines[name], bind, groups });
    };
    const end = () => {
      const steps = group;
      group = [];
      parts.push((encoder) => {
        const pass = encoder.beginComputePass();
        for (const { pipeline, bind, groups } of steps) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, bind);
          pass.dispatchWorkgroups(...groups);
        }
        pass.end();
      });
    };
    const tiles = (depth) => [Math.ceil(columns / SIDE), Math.ceil(rows / SIDE), depth];
    const sizes = (inputs, outputs) => [[inputs, features], [features, features], [inputs + features, outputs]].map(([i, o]) => 9 * i * o + o);
    /** A subnet of planes of the picture. */
    const subnet = (weights, from, ofA, outputs, to) => {
      const [one, two] = sizes(ofA, outputs);
      const depth = (count) => tiles(Math.ceil(count / OUTPUTS));
      step("convolve", { a: now, b: g === to ? h : g, to: first, from, ofA, outputs: features, weights, mode: 1, groups: depth(features) });
      step("convolve", { a: now, b: first, to: second, ofB: features, outputs: features, weights: weights + one, mode: 1, groups: depth(features) });
      step("convolve", { a: now, b: second, to, from, ofA, ofB: features, outputs, weights: weights + one + two, groups: depth(outputs) });
    };
    const couple = (mode, from, count, a, b) =>
      step("couple", { a, b, to: now, from, mode, groups: [Math.ceil((rows * columns) / SIDE ** 2), count, 1] });
    const level = (mode, colours) => {
      step("haar", { a: now, b: g, to: next, ofA: colours, mode, groups: tiles(colours) });
      [now, next] = [next, now];
      end();
    };
    let at = 0; // of the weights
    const levels = [];
    for (const count of blocks) {
      [rows, columns] = [rows / 2, columns / 2];
      level(0, planes);
      planes *= 4;
      const rest = planes - channels;
      const couplings = [];
      for (let k = 0; k < count; k += 1) {
        const all = [[rest, channels], [channels, rest], [channels, rest]].map(([i, o]) => sizes(i, o).reduce((sum, size) => sum + size, 0));
        const [F, G, H] = [at, at + all[0], at + all[0] + all[1]];
        at += all[0] + all[1] + all[2];
        subnet(F, channels, rest, channels, g);
        couple(0, 0, channels, g, h);
        subnet(G, 0, channels, rest, g);
        subnet(H, 0, channels, rest, h);
        couple(2, channels, rest, g, h);
        end();
        couplings.push({ F, G, H, rest });
      }
      levels.push({ couplings, colours: planes / 4 });
    }
    const clean = now;
    const plane = 4 * rows * columns;
    parts.push((encoder) => encoder.clearBuffer(clean, channels * plane)); // the latent: 0
    for (const { couplings, colours } of levels.reverse()) {
      for (const { F, G, H, rest } of couplings.reverse()) {
        subnet(G, 0, channels, rest, g);
        subnet(H, 0, channels, rest, h);
        couple(3, channels, rest, g, h);
        subnet(F, channels, rest, channels, g);
        couple(1, 0, channels, g, h);
        end();
      }
      level(1, colours);
      [rows, columns] = [2 * rows, 2 * columns];
    }
    if (now !== picture) throw new Error("an odd number of levels");
    return parts;
  }
}
