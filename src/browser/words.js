// What is said to people of a file, or of a browser, that cannot be worked with.

export const words = {
  noWebAssembly: "WebAssembly is switched off in this browser, by a setting or the lockdown mode of the device, and the page cannot work without it.",
  noSimd: "This browser or processor is too old: it lacks WebAssembly with SIMD, which Chrome 91, Firefox 89, Safari 16.4 and later have.",
  notLoaded: "A part of this page could not be loaded. It goes on when the connection is back.",
  empty: "This file is empty.",
  unknownFormat:
    "This is neither a JPEG nor a PNG, and this page reads no others. Save it as one of those, or use the command “invdn denoise”, which reads TIFF, HEIC, WebP and raw files.",
  print: "This JPEG holds colours for print (CMYK). Convert it to RGB in an image program, and take that file.",
  tooLarge: (megapixels, most) => `This photograph has ${megapixels} megapixels, and a page has memory for ${most}. The command “invdn denoise” takes it.`,
  tooWide: (width) => `A photograph ${width} pixels wide needs more memory than a page has. The command “invdn denoise” takes it.`,
  tooWideForModel: (width) =>
    `A photograph ${width} pixels wide needs more memory with this model than a page has. The draft (the model “fast”) takes it, and so does the command “invdn denoise”.`,
  dropped: (what) => `Left out of the result: ${what}.`,
};
