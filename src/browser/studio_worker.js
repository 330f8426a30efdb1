// A worker that owns the photographs, and starts another one for the network.
/* global InvdnJpeg, InvdnPixels, importScripts */
let base = new URL("../", self.location.href).href; // of engine/ and models/
const ready = Promise.all([import("./studio.js"), import("./remote_engine.js"), import("./support.js"), import("./image/pixel_work.js")]);
const engines = new Map();
let [jpeg, work, errors] = [null, null, null];
let studio = null;

async function engine(model) {
  if (!engines.has(model)) engines.set(model, opened(model).catch((error) => {
    engines.delete(model);
    throw error;
  }));
  return engines.get(model);
}

async function opened(model) {
  const [, { RemoteEngine }, { buildFor }] = await ready;
  const { folder, threads } = await buildFor(base);
  const how = { folder, model: `${base}models/${model}.safetensors`, threads };
  return RemoteEngine.open(new Worker(new URL("engine_worker.js", self.location.href)), how);
}

const numbers = async (name) => (await fetch(`${base}models/${name}.json`)).json();

/** A module of emscripten's, whose script defines the factory that `made` names. */
function loaded(folder, name, made) {
  importScripts(`${base}engine/${folder}/${name}.js`);
  return made()({ locateFile: (file) => `${base}engine/${folder}/${file}` });
}

async function pixelWork() {
  const [{ 3: { PixelWork } }, module, layers] = await Promise.all([ready, loaded("pixels", "pixels", () => InvdnPixels), numbers("noise_shares")]);
  return new PixelWork(module, layers);
}

const tools = {
  engine,
  jpeg: () => (jpeg ??= loaded("jpeg", "jpeg", () => InvdnJpeg)),
  work: () => (work ??= pixelWork()),
  errors: () => (errors ??= numbers("error_map")),
};

const methods = {
  /** Programs say where their files lie; the page's lie beside this script's folder. */
  begin(choices) {
    ({ base } = choices);
  },
  async about(model) {
    const one = await engine(model);
    return { instructions: one.instructions, threads: one.threads, pace: await one.pace() };
  },
  open: (bytes) => studio.open(bytes),
  forget: (id) => studio.forget(id),
  stop: (id) => studio.stop(id),
  denoise: (id, model, told) => studio.denoise(id, model, told),
  preview: (id, region, look, model) => studio.preview(id, region, look, model),
  region: (id, layer, place, shrink, look) => studio.region(id, layer, place, shrink, look),
  product: (id, look, told) => studio.product(id, look, told),
  memory: async () => Object.fromEntries(await Promise.all([...engines].map(async ([name, one]) => [name, await (await one).memory()]))),
};

const early = [];
let answer = (event) => early.push(event);
onmessage = (event) => answer(event);
ready.then(([{ Studio }, { serve }]) => {
  studio = new Studio(tools);
  answer = serve(methods);
  for (const event of early.splice(0)) answer(event);
});
