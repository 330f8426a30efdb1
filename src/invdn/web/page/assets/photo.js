// One photograph on its way: from a file of the user's to a result on the service.
//
//   waiting -> uploading -> ready -> queued -> running -> done
//                  |                    \_________/------> stopped, failed
//                  '-------------------------------------> refused

import { NEUTRAL, USUAL } from "./blend.js";
import { problemInWords } from "./problems.js";
import * as service from "./service.js";
import { t } from "./texts.js";

const POLL = 250; // ms between two looks at a job, at least
const STEPS = 100; // looks at a job that takes long
const RARELY = 2000; // ms between two looks, at most
const SLOWER = 3000; // ms while the service does not answer
const SURE = 0.15; // progress from which the job's own pace counts alone

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
  asks = false; // it takes long: begin only when asked to
  there = null; // the Photo of the service
  result = null; // the finished Job that is shown
  patches = []; // regions denoised ahead: {x, y, w, h, edge, rgb}
  previewing = false; // its job waits for its first preview
  unreadable = false; // its pixels cannot be shown
  viewport = null; // where the viewer was
  measured = new Map(); // strength that auto takes by result and look, 0 to 1; null while unknown
  small = null; // address of a small picture made by the browser; undefined: it is being made
  guess = () => null; // seconds that the job takes, by the service's pace
  #asked = null; // options of the job that is at work
  #made = null; // the file with the latest look: {look, started, waiting, failed, job}
  #since = 0; // when its progress was another one, in ms
  #rest = POLL; // ms until the next look at the job
  #turn = 0; // a run that is no longer the latest ends itself
  #job = null;
  #upload = null;

  constructor(file, quality, look = USUAL) {
    super();
    Object.assign(this, { file, name: file.name, quality, look: { ...NEUTRAL, ...look } });
  }

  /** One that was handed over before the page was loaded anew. */
  static found({ there, job, quality, look, asked }) {
    const photo = new Photo({ name: there.name, size: there.bytes, type: "" }, quality, look);
    Object.assign(photo, { file: there.file ?? null, there, state: "ready" });
    photo.#asked = asked;
    if (job?.state === "done") Object.assign(photo, { state: "done", result: { ...job, asked } });
    else if (job) {
      photo.#job = job.id;
      photo.#work({ state: "queued" }, async () => job.id);
    }
    return photo;
  }

  /** What is needed to find it again. */
  get kept() {
    if (!this.there) return null;
    return { photo: this.there.id, job: this.#job ?? this.result?.id ?? null, quality: this.quality, look: this.look, asked: this.#asked };
  }

  /** The strength that auto takes in the look that was chosen, 0 to 1; null while unknown. */
  get strengthFound() {
    const { result, look: { look } } = this;
    const reported = look === USUAL.look ? result?.result.strength_found : null;
    return reported ?? this.measured.get(`${result?.id} ${look}`) ?? null;
  }

  get busy() {
    return ["uploading", "queued", "running"].includes(this.state);
  }

  get working() {
    return ["queued", "running"].includes(this.state);
  }

  /** Refuse without asking the service. */
  refuse(words) {
    this.#become({ state: "refused", problem: words });
  }

  #become(values) {
    Object.assign(this, values);
    this.dispatchEvent(new Event("change"));
  }

  /** Hand the file over; never throws. */
  async send() {
    const turn = (this.#turn += 1);
    this.#become({ state: "uploading", problem: null });
    try {
      this.#upload = new AbortController();
      const there = await service.upload(this.file, this.#upload.signal);
      if (turn !== this.#turn) service.forget(there.id).catch(() => {});
      else this.#become({ there, state: "ready", silent: false });
    } catch (problem) {
      if (turn === this.#turn) this.#failed(problem);
    }
  }

  /** From a photograph that was handed over to the result; never throws. `options` are those of the job. */
  run(options) {
    this.asks = false;
    return this.#work({ state: "queued", progress: 0, secondsLeft: null, position: null, problem: null }, async () => {
      this.#asked = options(this);
      return (await service.start(this.there.id, this.#asked)).id;
    });
  }

  /** Follow the job that `begin` names to its end, from new values on; never throws. */
  async #work(values, begin) {
    const turn = (this.#turn += 1);
    this.#become(values);
    try {
      const job = await begin();
      if (turn !== this.#turn) return void service.stop(job).catch(() => {});
      this.#job = job;
      await this.#follow(() => turn === this.#turn);
    } catch (problem) {
      if (turn === this.#turn) this.#failed(problem);
    }
  }

  async #follow(latest) {
    for (;;) {
      this.#rest = Math.min(Math.max(POLL, ((this.secondsLeft ?? 0) * 1000) / STEPS), RARELY);
      await pause(this.silent ? SLOWER : this.#rest);
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
      const news = { silent: false, progress: job.progress, secondsLeft: this.#left(job), position: job.position };
      if (job.state === "done") return void this.#finish(job, news);
      if (job.state === "failed") {
        this.#job = null;
        return void this.#become({ ...news, state: "failed", problem: problemInWords(job.problem) });
      }
      if (job.state === "cancelled") this.#job = null;
      this.#become({ ...news, state: job.state === "cancelled" ? "stopped" : job.state });
      if (job.state === "cancelled") return;
    }
  }

  /**
   * Seconds left: by the service's pace at first, by the job's own as it becomes sure, without leaps. Null where the
   * work takes longer than they said.
   */
  #left(job) {
    if (job.state !== this.state || job.progress !== this.progress) this.#since = performance.now();
    const passed = job.state === "running" ? (performance.now() - this.#since) / 1000 : 0;
    const guess = this.guess();
    const byPace = guess === null ? null : guess * (1 - job.progress) - passed;
    if (job.seconds_left === null) return byPace > 0 ? byPace : null;
    const share = byPace === null ? 1 : Math.min(1, job.progress / SURE);
    const now = share * job.seconds_left + (1 - share) * Math.max(0, byPace);
    return this.secondsLeft === null ? now : 0.75 * Math.max(0, this.secondsLeft - this.#rest / 1000) + 0.25 * now;
  }

  #finish(job, news) {
    this.#discard();
    this.#job = null;
    this.#become({ ...news, state: "done", result: { ...job, asked: this.#asked }, patches: [] });
  }

  /** Remove what has been made of it from the service. */
  #discard() {
    if (this.result) service.stop(this.result.id).catch(() => {});
    this.#replace(null);
  }

  /** Put another file with a look in the place of the one there was, which goes as soon as nobody waits for it. */
  #replace(made) {
    const before = this.#made;
    this.#made = made;
    if (before) this.#drop(before);
  }

  #drop(made) {
    if (!made.waiting && !made.failed) made.started.then(({ id }) => service.stop(id)).catch(() => {});
  }

  /**
   * The finished job of the file with the look, saved as `output` says. Where the look changes the result, the service makes
   * it as the command does with these options, from what it remembers of the network's work; `onProgress`
   * hears how far it is. Who asks for the same file again meanwhile waits for the same job.
   */
  made(onProgress, output = {}) {
    return this.#whileMade(onProgress, output, (id) => id);
  }

  /** What `use` makes of the job, which stays until then. */
  async #whileMade(onProgress, output, use) {
    const { look, result } = this;
    if (this.#plain(output)) return use(result.id);
    const words = JSON.stringify([look, output]);
    if (this.#made?.look !== words) {
      const started = service.start(this.there.id, { quality: result.asked.quality, ...look, ...output });
      this.#replace({ look: words, started, waiting: 0, failed: false, job: null });
    }
    const made = this.#made;
    made.waiting += 1;
    try {
      const { id } = await made.started;
      while (!made.job) {
        const job = await service.job(id);
        if (job.state === "done") made.job = job;
        else if (!["queued", "running"].includes(job.state)) throw new Error(job.problem ? problemInWords(job.problem) : t("wasStopped"));
        else {
          onProgress(job.progress);
          await pause(POLL);
        }
      }
      return await use(id);
    } catch (problem) {
      made.failed = true;
      if (this.#made === made) this.#made = null;
      throw problem;
    } finally {
      made.waiting -= 1;
      if (this.#made !== made) this.#drop(made);
    }
  }

  /** Whether the result itself is the file: nothing was chosen that changes it. */
  #plain(output) {
    const asIs = Object.values(output).every((value) => value === undefined);
    return asIs && Object.entries(NEUTRAL).every(([name, value]) => this.look[name] === value);
  }

  /** The file with the look, where it is made already: `{name, media_type, link}`; else null. */
  ready(output) {
    const made = this.#made?.look === JSON.stringify([this.look, output]) ? this.#made.job : null;
    const job = this.result && this.#plain(output) ? this.result : made;
    return job?.links.result ? { ...job.result, link: job.links.result } : null;
  }

  /** The file with the look, `{blob, name}`. */
  product(onProgress, output) {
    return this.#whileMade(onProgress, output, service.result);
  }

  #failed(problem) {
    if (problem.name === "AbortError") return;
    if (problem.status === 404 && this.there && this.file) {
      // The service has been started anew or has tidied up: hand the file over again.
      this.#job = null;
      this.#become({ state: "waiting", there: null, result: null, silent: false });
    } else if (problem.status === 404 && this.there) {
      this.lost();
    } else if (problem.gone && this.state === "uploading") {
      this.#become({ state: "waiting", wait: SLOWER, silent: true });
    } else if (problem.gone) {
      this.#become({ state: "ready", wait: SLOWER, silent: true });
    } else if (problem.waitSeconds && [429, 503].includes(problem.status)) {
      const state = this.there ? "ready" : "waiting";
      this.#become({ state, wait: Math.min(problem.waitSeconds, 30) * 1000 });
    } else {
      this.#become({ state: this.there ? "failed" : "refused", problem: problem.message, silent: false });
    }
  }

  /** Its pixels are damaged: there is nothing to look at. */
  unseeable(words) {
    if (!this.unreadable) this.#become({ unreadable: true, problem: this.problem ?? words });
  }

  /** What the service had is gone: the file is handed over again when it is next denoised. */
  lost() {
    this.#turn += 1;
    this.#job = null;
    this.#become({ state: "failed", there: null, result: null, problem: t("lost") });
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
    this.asks = false;
    const state = this.there ? "ready" : this.file ? "waiting" : "failed";
    this.#become({ state, problem: state === "failed" ? t("lost") : null, wait: 0, patches: [] });
  }

  /** Leave nothing of it on the service. */
  remove() {
    if (this.busy) this.cancel();
    this.#discard();
    if (this.there) service.forget(this.there.id).catch(() => {});
    if (this.small) URL.revokeObjectURL(this.small);
  }
}
