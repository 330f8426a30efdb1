// A worker that owns one engine. A classic script, since emscripten's is one.
/* global Invdn, importScripts */
const ready = Promise.all([import("./engine.js"), import("./model.js"), import("./remote_engine.js"), import("./support.js")]);
let engine = null;
const sessions = new Map();

const methods = {
  async open({ folder, model, threads }) {
    const [{ Engine }, { readModel }, , { loaded }] = await ready;
    const weights = readModel(await (await loaded(model)).arrayBuffer());
    importScripts(`${folder}invdn.js`);
    const options = { locateFile: (file) => folder + file, mainScriptUrlOrBlob: `${folder}invdn.js` };
    engine = await Engine.open(Invdn, weights, { threads, options });
    const { scale, channels, instructions } = engine;
    return { scale, channels, threads, instructions };
  },
  begin: (number, height, width, piece) => void sessions.set(number, engine.session(height, width, piece)),
  push: (number, planes) => sessions.get(number).push(planes),
  end(number) {
    sessions.get(number)?.close();
    sessions.delete(number);
  },
  pace() {
    const side = 128;
    let best = Infinity;
    for (let round = 0; round < 2; round += 1) {
      const session = engine.session(side, side);
      const begun = performance.now();
      session.push(new Float32Array(3 * side * side).fill(0.5));
      best = Math.min(best, performance.now() - begun);
      session.close();
    }
    return best / 1000 / (side * side);
  },
  memory: () => engine.memory,
};

const early = []; // messages that came before the modules
onmessage = (event) => early.push(event);
ready.then(([, , { serve }]) => {
  onmessage = serve(methods);
  for (const event of early.splice(0)) onmessage(event);
});
