/** How much of the change is made; see docs/control.md. Numbers from 0 to 1. */
export interface Look {
  /** `"auto"` decides for every place by the noise that was found. */
  strength?: number | "auto";
  luminance?: number;
  chroma?: number;
  detail?: number;
  /** How far automatic strength goes; `"natural"` unless it is said. */
  look?: "gentle" | "natural" | "strong";
  /** Keeps stars and other points of light where the strength is a number; automatic strength keeps them anyway. */
  stars?: boolean;
}

export interface DenoiseOptions extends Look {
  /** Hears the share that is done, from 0 to 1. */
  onProgress?: (share: number) => void;
  /** Ends the work; the promise is rejected with an `AbortError`. */
  signal?: AbortSignal;
}

/** The noise of a photograph; spreads are standard deviations in units of white. */
export interface NoiseEstimate {
  /** In steps of 8 bits. */
  level: number;
  brightness: number[];
  luma: number[];
  colour: number[];
  /** Of neighbouring pixels. */
  correlation: number;
  /** Share of the photograph that was flat enough to tell. */
  flat: number;
}

export interface Denoised {
  /** A file of the same format, with the metadata of the original. */
  blob: Blob;
  width: number;
  height: number;
  seconds: number;
  /** What is to be said of the photograph, in sentences. */
  remarks: string[];
  /** `null` where the photograph is too small to tell. */
  noise: NoiseEstimate | null;
}

export interface OpenOptions {
  model?: "default" | "fast";
  /** Address of the folder that holds `engine/` and `models/`, where it is not the package's own. */
  base?: string | URL;
  /** Of node; a page takes what its browser allows. */
  threads?: number;
}

/** Takes the noise out of JPEG and PNG files, on the machine that it runs on. */
export class Denoiser {
  private constructor();
  /** Loads the engine and a model. Rejects where WebAssembly lacks SIMD. */
  static open(options?: OpenOptions): Promise<Denoiser>;
  /** Rejects with a sentence where the file is damaged, of another format, or too large. */
  denoise(file: Blob | Uint8Array | ArrayBuffer, options?: DenoiseOptions): Promise<Denoised>;
  close(): void;
}
