// Where photographs come from: dropped, pasted or picked; folders are opened.

const PHOTOGRAPH = /\.(jpe?g|png|tiff?|webp|heic|heif|avif|jxl|dng|arw|cr[23]|nef|orf|raf|rw2|pef|srw)$/i;

/** Call `take(files)` for whatever comes in. Answers a function that opens the file picker. */
export function takeIn(input, take) {
  let depth = 0;
  const over = (count) => {
    depth = Math.max(0, count);
    document.body.classList.toggle("dragover", depth > 0);
  };
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

  addEventListener("dragenter", (event) => holdsFiles(event) && over(depth + 1));
  addEventListener("dragleave", (event) => holdsFiles(event) && over(depth - 1));
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    over(0);
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same file can be picked again
    if (files.length) take(files);
  });
  return () => input.click();
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found, true);
  return found;
}

/** Files of a folder; in folders only what is named like a photograph. */
async function walk(entry, found, named) {
  if (entry.isFile) {
    if (named || PHOTOGRAPH.test(entry.name)) found.push(await new Promise((done, failed) => entry.file(done, failed)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!part.length) return;
    for (const child of part.sort((a, b) => a.name.localeCompare(b.name))) await walk(child, found, false);
  }
}
