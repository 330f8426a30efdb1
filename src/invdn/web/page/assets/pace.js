// How long the service takes, estimated before anything is begun: one number for every place of the page.

const PER_PICTURE = 0.4; // s, whatever its size
const SECONDS_PER_MEGAPIXEL = 0.5; // to read, to blend and to write
const TELLING = 0.25; // megapixels times passes from which a job tells the pace
const DRAFT_SHARE = 0.45; // of the network's time, at most: its small model is 2.3 times as fast or more (benchmarks/results/tradeoff.json)

export class Pace {
  #perPass; // seconds for a megapixel and pass
  #draft; // the same of the model of drafts
  #most; // share of #perPass that it takes at most
  #qualities;

  /** @param about what the service says of itself */
  constructor(about) {
    this.#perPass = about.seconds_per_megapixel_pass ?? (about.pace ? about.pace * 1e6 : null);
    this.#draft = about.draft_seconds_per_megapixel_pass ?? this.#perPass;
    this.#most = about.draft_seconds_per_megapixel_pass ? DRAFT_SHARE : 1;
    this.#qualities = about.qualities;
  }

  /** Passes of the network, and samples that are averaged. */
  work(quality) {
    const { self_ensemble, num_samples, cost = 1 } = this.#qualities[quality];
    const symmetries = self_ensemble ? 8 : 1;
    return { samples: symmetries * num_samples, passes: symmetries * (1 + num_samples) * cost };
  }

  /** Seconds for a picture of `{width, height}`; null as long as nobody knows. */
  seconds(size, quality) {
    if (!size || this.#perPass === null) return null;
    const megapixels = (size.width * size.height) / 1e6;
    // both are measured while the service starts, on a machine that may be busy with other things
    const perPass = quality === "draft" ? Math.min(this.#draft, this.#most * this.#perPass) : this.#perPass;
    return PER_PICTURE + megapixels * (SECONDS_PER_MEGAPIXEL + perPass * this.work(quality).passes);
  }

  /** Learn from a finished job; one of little work tells little. */
  learn({ result }) {
    if (!result?.result?.seconds || result.draft || result.options.quality === "draft") return;
    const { width, height, seconds } = result.result;
    const megapixels = (width * height) / 1e6;
    const { self_ensemble, num_samples } = result.options;
    const passes = (self_ensemble ? 8 : 1) * (1 + num_samples);
    if (megapixels * passes < TELLING) return;
    const measured = Math.max(0, seconds - PER_PICTURE - megapixels * SECONDS_PER_MEGAPIXEL) / (megapixels * passes);
    const now = this.#perPass === null ? measured : 0.5 * (this.#perPass + measured);
    if (this.#draft !== null && this.#perPass) this.#draft *= now / this.#perPass; // the machine is as busy for both
    this.#perPass = now;
  }
}
