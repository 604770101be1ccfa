// Which page is shown, and which keys go where.

import { DataPage } from "./data.js";
import { $, $$, say } from "./dom.js";
import { PaintPage } from "./paint.js";
import { RunsPage } from "./runs.js";

const pages = { paint: new PaintPage(), runs: new RunsPage(), data: new DataPage() };
let shown = "";

function route() {
  const [name, ...rest] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const page = name in pages ? name : "paint";
  for (const section of $$("main > [data-page]")) section.hidden = section.dataset.page !== page;
  for (const link of $$("nav a")) {
    if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (shown !== page) pages[shown]?.leave?.();
  shown = page;
  pages[page].enter?.(...rest);
  document.title = `${$(`nav a[href="#${page}"]`).textContent} · coigan-aug studio`;
}

const typing = (target) => target.matches("input:not([type=range]):not([type=checkbox]), textarea, select");

addEventListener("keydown", (event) => {
  if (typing(event.target) && ["Enter", "Escape"].includes(event.key)) event.target.blur();
  if (typing(event.target) || $("#help").open) return;
  if (event.key === "?") {
    $("#help").showModal();
    event.preventDefault();
    return;
  }
  const ownKey = event.target.matches("button, a, summary") && [" ", "Enter"].includes(event.key);
  if (!ownKey && pages[shown].key?.(event)) event.preventDefault();
});
addEventListener("keyup", (event) => pages[shown].release?.(event));
addEventListener("hashchange", route);
$("#help-open").addEventListener("click", () => $("#help").showModal());
$("#help-close").addEventListener("click", () => $("#help").close());

window.studio = pages.paint; // for whoever looks with the tools of the browser
route();
pages.paint.open().then(
  () => { document.body.dataset.ready = "yes"; },
  (error) => say([error.message, error.remedy].filter(Boolean).join("  "), { bad: true, lasting: 60_000 }),
);
