// The page "Runs": what was trained, how its curves go and how its samples became what they are.

import { address, getJson } from "./api.js";
import { chart, short } from "./chart.js";
import { $, count, h, trying } from "./dom.js";

const AGAIN = 5000; // ms between looks at a run that trains

export class RunsPage {
  constructor() {
    this.chosen = "";
    this.sample = null; // the number of the sheet that is shown; null: the newest
    $("#sample").addEventListener("input", () => {
      this.sample = Number($("#sample").value);
      this.showSample();
    });
  }

  enter(name) {
    if (name) this.chosen = name;
    trying(() => this.look());
  }

  leave() { clearTimeout(this.timer); }

  async look() {
    clearTimeout(this.timer);
    const rows = await getJson("runs");
    if (!rows.some((row) => row.name === this.chosen)) this.chosen = rows[0]?.name ?? "";
    $("#run-list").replaceChildren(...rows.map((row) => this.row(row)));
    $("#run-none").hidden = rows.length > 0;
    $("#run-about").hidden = rows.length === 0;
    if (this.chosen) this.show(await getJson(`runs/${encodeURIComponent(this.chosen)}`));
    if (rows.some((row) => row.state === "training")) this.timer = setTimeout(() => trying(() => this.look()), AGAIN);
  }

  row(row) {
    const share = Math.min(row.samples / Math.max(row.planned, 1), 1);
    return h(
      "a", { class: "run", href: `#runs/${encodeURIComponent(row.name)}`, "aria-current": row.name === this.chosen ? "true" : "false" },
      h("strong", {}, row.name), h("span", { class: `state ${row.state}` }, row.state),
      h("progress", { max: 1, value: share, "aria-label": `${row.name}: ${Math.round(100 * share)} % trained` }),
      h("span", { class: "quiet" }, `${count(row.samples)} of ${count(row.planned)} samples`),
      h("span", { class: "quiet" }, [row.kid === null ? "" : `KID ${short(row.kid)}`, row.usual ? "drawn with" : ""].filter(Boolean).join(" · ")),
    );
  }

  show({ run, curves, samples }) {
    $("#run-name").textContent = run.name;
    const facts = [
      ["recipe", run.recipe], ["state", run.state], ["samples seen", `${count(run.samples)} of ${count(run.planned)}`], ["steps", count(run.steps)],
      ["trained for", run.minutes === null ? "not noted" : `${run.minutes} min`],
      ["best KID", run.kid === null ? "not measured" : `${short(run.kid)} after ${count(run.kid_samples)}`],
      ["generator", run.drawable ? (run.bundled ? "came with the program" : "there") : "none yet"],
    ];
    $("#run-facts").replaceChildren(...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    const names = Object.keys(curves).sort((a, b) => (b === "kid") - (a === "kid") || a.localeCompare(b));
    $("#curves").replaceChildren(...names.map((name) => h("figure", {}, h("figcaption", {}, words(name), h("small", {}, ` ${short(curves[name].at(-1)[1])}`)), chart(words(name), curves[name]))));
    $("#curves-none").hidden = names.length > 0;
    this.samples = samples;
    $("#sample-part").hidden = samples.length === 0;
    $("#sample").max = Math.max(samples.length - 1, 0);
    if (this.of !== run.name) this.sample = null;
    this.of = run.name;
    this.showSample();
  }

  showSample() {
    if (!this.samples.length) return;
    const number = Math.min(this.sample ?? Infinity, this.samples.length - 1);
    $("#sample").value = number;
    $("#sample-name").value = `${Number(this.samples[number]) ? `${count(Number(this.samples[number]))} samples seen` : this.samples[number]}`;
    $("#sample-picture").src = address(`runs/${encodeURIComponent(this.of)}/samples/${number}?side=1600`);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.samples?.length || event.target.matches("input")) return false;
    this.sample = Math.min(Math.max((this.sample ?? this.samples.length - 1) + step, 0), this.samples.length - 1);
    this.showSample();
    return true;
  }
}

const words = (name) => name.replaceAll("_", " ").replaceAll(".", " ");
