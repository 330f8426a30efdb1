// The page while the service is away: its own files, from the network where that answers, else as they were kept.
// Nothing of the service's answers is kept, and no photograph.

const base = new URL("./", location).href;
const EVEN_SO = { ignoreVary: true }; // a page is asked for in other words than its files are
const OWN = /^(assets\/[\w.]+|manifest\.webmanifest)?$/;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const [address] = request.url.split("?");
  if (request.method === "GET" && address.startsWith(base) && OWN.test(address.slice(base.length))) event.respondWith(answer(request, address));
});

async function answer(request, address) {
  const kept = await caches.open(`page ${base}`);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await kept.put(address, fresh.clone());
    else if (![502, 503, 504].includes(fresh.status)) return fresh;
    return fresh.ok ? fresh : ((await kept.match(address, EVEN_SO)) ?? fresh);
  } catch (problem) {
    const found = await kept.match(address, EVEN_SO);
    if (found) return found;
    throw problem;
  }
}
