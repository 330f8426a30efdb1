// What the studio says to people.

export const NOTHING_LEFT =
  "This is neither a JPEG nor a PNG, and this page reads no others. Save it as one of those, or use the command “invdn denoise”, which reads TIFF, HEIC, WebP and raw files.";

export const readable = {
  tooWide: (width) => `A photograph ${width} pixels wide needs more memory than a page has. The command “invdn denoise” takes it.`,
  dropped: (what) => `Left out of the result: ${what}.`,
};
