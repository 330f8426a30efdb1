// Has the service worker keep the page for offline use, and isolate it where the host does not, so
// that there are threads. Without service workers (some private windows) all works on one thread.

const TRIED = "invdn-isolation";

async function begin() {
  const registration = await navigator.serviceWorker.register("sw.js");
  await navigator.serviceWorker.ready;
  document.documentElement.dataset.offline = "ready";
  if (crossOriginIsolated) return;
  // The first answer came without the worker. Once more with it, unless somebody has begun to work.
  const idle = () => document.body.dataset.state === "empty";
  if (sessionStorage.getItem(TRIED) || !idle() || !registration.active) return;
  sessionStorage.setItem(TRIED, "yes");
  location.reload();
}

if ("serviceWorker" in navigator) begin().catch(() => {});
