// One photograph on its way: from a file of the user's to a result on the service.
//
//   waiting -> uploading -> queued -> running -> done
//                  |           \_________/------> stopped, failed
//                  '----------------------------> refused

import { NEUTRAL, USUAL } from "./blend.js";
import * as service from "./service.js";

const POLL = 250; // ms between two looks at a job
const SLOWER = 3000; // ms while the service does not answer

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Fires "change" whenever something about it is different. */
export class Photo extends EventTarget {
  static #count = 0;
  number = (Photo.#count += 1);
  state = "waiting";
  progress = 0;
  secondsLeft = null;
  position = null;
  problem = null; // words
  silent = false; // the service does not answer
  wait = 0; // ms until the service may be asked again
  timer = undefined; // that waits for it
  there = null; // the Photo of the service
  result = null; // the finished Job that is shown
  patches = []; // regions denoised ahead: {x, y, w, h, rgb}
  unreadable = false; // its pixels cannot be shown
  viewport = null; // where the viewer was
  #asked = null; // options of the job that is at work
  #made = null; // the job of the file with the latest look: {look, id}
  #fetching = false; // that file is being waited for
  #turn = 0; // a run that is no longer the latest ends itself
  #job = null;
  #upload = null;

  constructor(file, quality, look = USUAL) {
    super();
    Object.assign(this, { file, name: file.name, quality, look });
  }

  get busy() {
    return ["uploading", "queued", "running"].includes(this.state);
  }

  /** Refuse without asking the service. */
  refuse(words) {
    this.#become({ state: "refused", problem: words });
  }

  #become(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** All the way to the result; never throws. `options` are those of the job. */
  async run(options) {
    const turn = (this.#turn += 1);
    const latest = () => turn === this.#turn;
    try {
      const state = this.there ? "queued" : "uploading";
      this.#become({ state, progress: 0, secondsLeft: null, position: null, problem: null });
      if (!this.there) await this.#hand();
      if (!latest()) return;
      this.#asked = options(this);
      const job = await service.start(this.there.id, this.#asked);
      if (!latest()) {
        service.stop(job.id).catch(() => {});
        return;
      }
      this.#job = job.id;
      await this.#follow(latest);
    } catch (problem) {
      if (latest()) this.#failed(problem);
    }
  }

  async #hand() {
    this.#upload = new AbortController();
    this.there = await service.upload(this.file, this.#upload.signal);
    this.#become({ state: "queued" });
  }

  async #follow(latest) {
    for (;;) {
      await pause(this.silent ? SLOWER : POLL);
      if (!latest()) return;
      let job;
      try {
        job = await service.job(this.#job);
      } catch (problem) {
        if (!problem.gone) throw problem;
        if (!this.silent) this.#become({ silent: true });
        continue;
      }
      if (!latest()) return;
      const told = { silent: false, progress: job.progress, secondsLeft: job.seconds_left, position: job.position };
      if (job.state === "done") return void this.#finish(job, told);
      if (job.state === "failed") return void this.#become({ ...told, state: "failed", problem: service.sentence(job.problem.detail) });
      this.#become({ ...told, state: job.state === "cancelled" ? "stopped" : job.state });
      if (job.state === "cancelled") return;
    }
  }

  #finish(job, told) {
    this.#discard();
    this.#job = null;
    this.#become({ ...told, state: "done", result: { ...job, asked: this.#asked }, patches: [] });
  }

  /** Remove what has been made of it from the service. */
  #discard() {
    const made = this.#fetching ? null : this.#made?.id; // product() removes what nobody wants any more
    for (const id of [this.result?.id, made]) if (id) service.stop(id).catch(() => {});
    this.#made = null;
  }

  /**
   * The file with the look, `{blob, name}`. Where the look changes the result, the service makes it
   * as the command does with these options, from what it remembers of the network's work; `told`
   * hears how far it is.
   */
  async product(told) {
    const { look, result } = this;
    if (Object.entries(NEUTRAL).every(([name, value]) => look[name] === value)) return service.result(result.id);
    const words = JSON.stringify(look);
    if (this.#made?.look !== words) {
      if (this.#made) service.stop(this.#made.id).catch(() => {});
      this.#made = { look: words, id: (await service.start(this.there.id, { quality: result.asked.quality, ...look })).id };
    }
    const { id } = this.#made;
    this.#fetching = true;
    try {
      for (;;) {
        const job = await service.job(id);
        if (job.state === "done") return await service.result(id);
        if (!["queued", "running"].includes(job.state)) throw new Error(job.problem ? service.sentence(job.problem.detail) : "Stopped.");
        told(job.progress);
        await pause(POLL);
      }
    } catch (problem) {
      if (this.#made?.id === id) this.#made = null;
      throw problem;
    } finally {
      this.#fetching = false;
      if (this.result !== result) service.stop(id).catch(() => {}); // there is another one meanwhile
    }
  }

  #failed(problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 404 && this.there) {
      // The service has been started anew or has tidied up: hand the file over again.
      this.#become({ state: "waiting", there: null, result: null, silent: false });
    } else if (problem.waitSeconds && [429, 503].includes(problem.status)) {
      this.#become({ state: "waiting", wait: Math.min(problem.waitSeconds, 30) * 1000 });
    } else {
      const state = this.there || problem.gone ? "failed" : "refused";
      this.#become({ state, problem: problem.message, silent: false });
    }
  }

  /** Its pixels are damaged: there is nothing to look at. */
  unseeable(words) {
    if (!this.unreadable) this.#become({ unreadable: true, problem: this.problem ?? words });
  }

  /** What the service had is gone: the file is handed over again when it is next denoised. */
  lost() {
    this.#turn += 1;
    this.#become({ state: "failed", there: null, result: null, problem: "The service has removed it in the meantime." });
  }

  /** Stop the work; what was shown before stays. */
  cancel() {
    this.#turn += 1;
    this.#upload?.abort();
    if (this.#job) service.stop(this.#job).catch(() => {});
    this.#job = null;
    this.#become({ state: "stopped", silent: false });
  }

  /** Line up for another run. */
  again() {
    if (this.busy) this.cancel();
    this.#become({ state: "waiting", problem: null, wait: 0 });
  }

  /** Leave nothing of it on the service. */
  remove() {
    if (this.busy) this.cancel();
    this.#discard();
    if (this.there) service.forget(this.there.id).catch(() => {});
  }
}
