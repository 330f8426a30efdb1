// Results on their way out: one file, one archive, a folder, the clipboard, another application.

import * as service from "./service.js";

/** Have the browser save a file. */
export function save({ blob, name }) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Have the browser fetch several results as one archive, which the service makes while it is sent. */
export function saveArchive(ids) {
  Object.assign(document.createElement("a"), { href: service.archive(ids), download: "denoised.zip" }).click();
}

/** Write files into a folder that is asked for; answers how many, or null where nobody chose one. */
export async function saveIntoFolder(photos, report, output) {
  let folder;
  try {
    folder = await window.showDirectoryPicker({ mode: "readwrite", id: "invdn" });
  } catch (problem) {
    if (problem.name === "AbortError") return null;
    throw problem;
  }
  let count = 0;
  for (const photo of photos) {
    const { blob, name } = await photo.product(report, output);
    const file = await folder.getFileHandle(await free(folder, name), { create: true });
    const sink = await file.createWritable();
    await sink.write(blob);
    await sink.close();
    count += 1;
  }
  return count;
}

/** A name that no file in the folder has: nothing is overwritten. */
async function free(folder, name) {
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/.exec(name);
  for (let count = 1; ; count += 1) {
    const tried = count === 1 ? name : `${stem} (${count})${ending ?? ""}`;
    try {
      await folder.getFileHandle(tried);
    } catch (problem) {
      if (problem.name === "NotFoundError") return tried;
      throw problem;
    }
  }
}

/** Put the picture of a finished job into the clipboard. */
export const copy = (job) => navigator.clipboard.write([new ClipboardItem({ "image/png": service.picture(job) })]);

/** Hand a file to another application. */
export function share({ blob, name }) {
  const file = new File([blob], name, { type: blob.type });
  return navigator.share({ files: [file], title: name });
}
