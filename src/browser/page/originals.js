// Files that lie on the table, kept by the browser: a tab that was put to sleep and ended, that broke for
// lack of memory, or that is loaded anew, finds them again. Where nothing may be kept, all else works.

const [DATABASE, STORE] = ["invdn", "originals"];
const LONGEST = 24 * 3600e3; // ms that a file is kept which no page removed

const answered = (request) => new Promise((done, failed) => {
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
});

async function store(mode) {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  const database = await answered(request);
  const transaction = database.transaction(STORE, mode);
  transaction.oncomplete = transaction.onabort = () => database.close();
  return transaction.objectStore(STORE);
}

/** Keep a file until it is removed, a day at most. */
export const keep = async (id, file) => answered((await store("readwrite")).put({ file, at: Date.now() }, id)).catch(() => {});

/** The file of a photograph; undefined where it is not kept. */
export const find = async (id) => (await answered((await store("readonly")).get(id)))?.file;

export const remove = async (id) => answered((await store("readwrite")).delete(id));

/** Remove what pages have left behind. */
export async function tidy() {
  const request = (await store("readwrite")).openCursor();
  request.onsuccess = () => {
    const cursor = request.result;
    if (!cursor) return;
    if (Date.now() - cursor.value.at > LONGEST) cursor.delete();
    cursor.continue();
  };
}
