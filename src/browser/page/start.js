// Has the service worker keep the page for offline use, and isolate it where the host does not, so
// that there are threads. Without service workers (some private windows) all works on one thread.

const TRIED = "invdn-isolation";

/** Answers whether the page works offline; undefined where it comes a second time, with the worker. */
async function begin() {
  if (!("serviceWorker" in navigator)) return false;
  const registration = await navigator.serviceWorker.register("sw.js");
  await navigator.serviceWorker.ready;
  if (crossOriginIsolated) return true;
  // The first answer came without the worker. Once more with it, unless somebody has begun to work.
  const idle = () => document.body.dataset.state === "empty";
  if (sessionStorage.getItem(TRIED) || !idle() || !registration.active) return true;
  sessionStorage.setItem(TRIED, "yes");
  location.reload();
}

/** Tell tests that the page stays as it is. */
function settled(offline) {
  if (offline !== undefined) document.documentElement.dataset.offline = offline ? "ready" : "no";
}

begin().then(settled, () => settled(false));
