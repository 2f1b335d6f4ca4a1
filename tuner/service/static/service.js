// Keeps a page as the database is. A stream tells that something changed; then the page is fetched again, and the parts
// of it that are marked `data-live` are replaced. The stream is closed while the page is hidden or paused.
"use strict";

const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
const pause = document.getElementById("pause");
const said = document.getElementById("said");
const PATIENCE = 1000; // milliseconds between two updates, at least
let stream = null;
let seen = meta("revision");
let updating = false;
let paused = sessionStorage.getItem("paused") === "yes";

// What a reader did to a part: opened details, scrolled tables, focus. Elements are told by their place among their like.
const like = (part, selector) => [...part.querySelectorAll(selector)];
const focusable = "a, button, input, select, textarea, summary, [tabindex]";

function replace(part, fresh) {
  const selection = getSelection();
  if (!selection.isCollapsed && part.contains(selection.anchorNode)) return false; // the reader is copying
  if (part.innerHTML === fresh.innerHTML) return true;
  const open = like(part, "details").map((each) => each.open);
  const scrolled = like(part, ".wide").map((each) => each.scrollLeft);
  const focus = like(part, focusable).indexOf(document.activeElement);
  part.replaceChildren(...fresh.childNodes);
  like(part, "details").forEach((each, place) => (each.open = open[place] ?? false));
  like(part, ".wide").forEach((each, place) => (each.scrollLeft = scrolled[place] ?? 0));
  if (focus >= 0) like(part, focusable)[focus]?.focus({ preventScroll: true });
  return true;
}

async function update(revision) {
  if (updating || paused || revision === seen) return;
  updating = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache" });
    if (answer.redirected) return location.reload(); // signed out
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const done = like(document, "[data-live]").map((part) => {
      const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
      return fresh === null || replace(part, fresh);
    });
    if (done.every(Boolean)) seen = revision;
  } catch {
    said.textContent = "the server does not answer";
  }
  await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  updating = false;
  if (latest !== seen) update(latest);
}

let latest = seen;
function follow() {
  stream?.close();
  stream = null;
  pause.hidden = false;
  pause.textContent = paused ? "Go on with updates" : "Pause updates";
  if (paused || document.hidden) {
    said.textContent = paused ? "paused" : said.textContent;
    return;
  }
  stream = new EventSource(meta("changes"));
  stream.addEventListener("open", () => (said.textContent = "live"));
  stream.addEventListener("error", () => (said.textContent = "the server does not answer"));
  stream.addEventListener("change", (event) => update((latest = JSON.parse(event.data))));
}

pause.addEventListener("click", () => {
  paused = !paused;
  sessionStorage.setItem("paused", paused ? "yes" : "no");
  follow();
});
document.addEventListener("visibilitychange", follow);
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", follow);
