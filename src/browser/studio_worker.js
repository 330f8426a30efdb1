// A worker that owns the photographs, and starts another one for the network.
/* global InvdnJpeg, InvdnPixels, importScripts */
let base = new URL("../", self.location.href).href; // of engine/ and models/
let webgpu = false;
const modules = Promise.all([import("./studio.js"), import("./remote_engine.js"), import("./support.js"), import("./image/pixel_work.js")])
  .then((parts) => Object.assign({}, ...parts));

/** What is made when it is first asked for; what failed is tried anew. */
function once(make) {
  let made = null;
  return () => (made ??= make().catch((error) => {
    made = null;
    throw error;
  }));
}

const numbers = (name) => once(async () => (await (await modules).loaded(`${base}models/${name}.json`)).json());

/** A module of emscripten's, whose script defines the factory that `made` names. */
function compiled(folder, name, made) {
  importScripts(`${base}engine/${folder}/${name}.js`);
  return made()({ locateFile: (file) => `${base}engine/${folder}/${file}` });
}

async function opened(model) {
  const compiled = await inWasm(model);
  if (!webgpu) return compiled;
  const [{ GpuEngine }, { readModel }, { loaded }] = await Promise.all([import("./gpu_engine.js"), import("./model.js"), modules]);
  const weights = readModel(await (await loaded(`${base}models/${model}.safetensors`)).arrayBuffer());
  return (await GpuEngine.open(weights, compiled)) ?? compiled;
}

async function inWasm(model) {
  const { RemoteEngine, buildsFor } = await modules;
  let problem;
  for (const { folder, threads } of await buildsFor(base)) {
    const worker = new Worker(new URL("engine_worker.js", self.location.href));
    try {
      return await RemoteEngine.open(worker, { folder, model: `${base}models/${model}.safetensors`, threads });
    } catch (error) {
      worker.terminate();
      problem ??= error;
    }
  }
  throw problem;
}

const engines = new Map();

function engine(model) {
  if (!engines.has(model)) engines.set(model, once(() => opened(model)));
  return engines.get(model)();
}

/** Free the memory of an engine, and have the next one begin in another worker. */
async function drop(model) {
  const one = engines.get(model);
  engines.delete(model);
  (await one?.().catch(() => null))?.close();
}

const [layersOfShares, layersOfErrors] = ["noise_shares", "error_map"].map(numbers);
const tools = {
  engine,
  jpeg: once(async () => compiled("jpeg", "jpeg", () => InvdnJpeg)),
  work: once(async () => {
    const [{ PixelWork }, module, layers] = await Promise.all([modules, compiled("pixels", "pixels", () => InvdnPixels), layersOfShares()]);
    return new PixelWork(module, layers);
  }),
  errors: layersOfErrors,
};

const studio = modules.then(({ Studio }) => new Studio(tools));

const methods = {
  /** Programs say where their files lie; the page's lie beside this script's folder. */
  begin(choices) {
    ({ base = base, webgpu = webgpu } = choices);
  },
  async about(model) {
    const one = await engine(model);
    return { instructions: one.instructions, threads: one.threads, pace: await one.pace() };
  },
  async denoise(id, model, report) {
    try {
      return await (await studio).denoise(id, model, report);
    } catch (error) {
      // Where memory was missing, or the module broke, what it holds is of no use any more.
      if (error.name !== "AbortError") await drop(model);
      throw error;
    }
  },
  memory: async () => Object.fromEntries(await Promise.all([...engines].map(async ([name, one]) => [name, await (await one()).memory()]))),
};
for (const name of ["open", "forget", "stop", "preview", "region", "product"]) methods[name] = async (...values) => (await studio)[name](...values);

const early = []; // messages that came before the modules
onmessage = (event) => early.push(event);
modules.then(({ serve }) => {
  onmessage = serve(methods);
  for (const event of early.splice(0)) onmessage(event);
});
