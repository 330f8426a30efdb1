// Decodes files beside the page, one after another, so that the page itself never stands still.

const THUMBNAIL = 224;
const SIDE = 2560; // of the picture for the stage, until the service's tiles come

let line = Promise.resolve();

addEventListener("message", ({ data: { number, file, whole } }) => {
  line = line.then(async () => {
    const made = await decoded(file, whole).catch(() => null);
    postMessage({ number, made }, made?.bitmap ? [made.bitmap] : []);
  });
});

async function decoded(file, whole) {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const board = shrunk(bitmap, whole ? SIDE : THUMBNAIL);
  bitmap.close();
  const small = await shrunk(board, THUMBNAIL).convertToBlob({ type: "image/jpeg", quality: 0.85 });
  return whole ? { small, width, height, bitmap: board.transferToImageBitmap() } : { small };
}

/** A picture on a canvas, no side longer than `side`. */
function shrunk(picture, side) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const size = [picture.width, picture.height].map((edge) => Math.max(1, Math.round(edge * scale)));
  const board = new OffscreenCanvas(...size);
  const context = board.getContext("2d");
  context.imageSmoothingQuality = "medium";
  context.drawImage(picture, 0, 0, ...size);
  return board;
}
