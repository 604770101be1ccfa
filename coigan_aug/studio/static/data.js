// The page "Data": the images of a set with their masks, by class and state; accepted or rejected by hand.

import { address, getJson, postJson } from "./api.js";
import { $, colour, count, h, later, say, swatch, trying } from "./dom.js";

export class DataPage {
  constructor() {
    this.chosen = "";
    this.at = -1; // of the items that are shown, the one that is looked at
    this.items = [];
    this.masks = true;
    this.sent = Promise.resolve(); // verdicts go one after another: the last key about an image is the last word about it
    const again = later(150, () => trying(() => this.list(0)));
    for (const id of ["#data-class", "#data-state", "#data-split", "#data-verdict"]) $(id).addEventListener("change", again);
    $("#data-text").addEventListener("input", again);
    $("#data-masks").addEventListener("change", () => this.redraw());
    $("#data-more").addEventListener("click", () => trying(() => this.list(this.items.length)));
    $("#data-accepted").addEventListener("click", () => trying(() => this.write()));
    $("#data-rejects").addEventListener("click", () => trying(() => this.rejects()));
    for (const button of document.querySelectorAll("[data-verdict]")) {
      button.addEventListener("click", () => trying(() => this.judge(button.dataset.verdict)));
    }
    $("#look-previous").addEventListener("click", () => this.step(-1));
    $("#look-next").addEventListener("click", () => this.step(1));
    $("#look-close").addEventListener("click", () => $("#look").close());
  }

  enter(name) { trying(() => this.open(name)); }

  async open(name) {
    this.sets = await getJson("sets");
    this.chosen = this.sets.some((set) => set.name === name) ? name : this.sets.some((set) => set.name === this.chosen) ? this.chosen : this.sets[0].name;
    $("#set-list").replaceChildren(...this.sets.map((set) => this.tab(set)));
    this.set = this.sets.find((set) => set.name === this.chosen);
    if (this.set.problem) {
      $("#set-about").textContent = `${this.set.problem} ${this.set.remedy}`;
      $("#grid").replaceChildren();
      return;
    }
    this.about();
    this.filters();
    await this.list(0);
  }

  tab(set) {
    return h(
      "a", { class: "set", href: `#data/${encodeURIComponent(set.name)}`, "aria-current": String(set.name === this.chosen) },
      h("strong", {}, set.name), h("span", { class: "quiet" }, set.problem ? "can't be read" : `${count(set.images)} images${set.real ? ", real" : ""}`),
    );
  }

  about() {
    const { states, splits, made_by: maker, folder, rejected } = this.set;
    const parts = Object.entries(states).map(([state, number]) => `${count(number)} ${state}`);
    if (Object.keys(splits).filter(Boolean).length > 1) parts.push(...Object.entries(splits).map(([split, number]) => `${count(number)} ${split}`));
    $("#set-about").replaceChildren(
      h("p", {}, parts.join(" · ")), h("p", { class: "quiet" }, maker), h("p", { class: "quiet" }, h("code", {}, folder)),
      h("ul", { class: "legend" }, ...this.set.classes.map((item) => h("li", {}, swatch(item.colour), item.name, h("span", { class: "quiet" }, ` ${count(item.defects)}`)))),
    );
    $("#data-rejects").hidden = !rejected;
    $("#data-rejects").textContent = `${count(rejected)} rejected by the screen`;
    $("#data-accepted").hidden = $("#data-verdict").hidden = this.set.real;
    $("#rejects").hidden = true;
  }

  filters() {
    const fill = (id, first, values) => $(id).replaceChildren(h("option", { value: "" }, first), ...values.map((value) => h("option", { value }, value)));
    fill("#data-class", "all classes", this.set.classes.map((item) => item.name));
    fill("#data-state", "all states", Object.keys(this.set.states));
    const splits = Object.keys(this.set.splits).filter(Boolean);
    fill("#data-split", "train and test", splits);
    $("#data-split").hidden = splits.length < 2;
    $("#data-verdict").value = "";
  }

  async list(from) {
    const chosen = this.chosen;
    const asked = new URLSearchParams({
      from, class: $("#data-class").value, state: $("#data-state").value, split: $("#data-split").value,
      text: $("#data-text").value.trim(), verdict: this.set.real ? "" : $("#data-verdict").value,
    });
    const found = await getJson(`sets/${encodeURIComponent(chosen)}?${asked}`);
    if (chosen !== this.chosen) return;
    if (from === 0) {
      this.items = [];
      $("#grid").replaceChildren();
    }
    this.items.push(...found.items);
    this.verdicts = found.verdicts;
    $("#grid").append(...found.items.map((item, k) => this.card(item, from + k)));
    $("#data-count").textContent = `${count(found.count)} of ${count(this.set.images)} images`;
    $("#data-more").hidden = this.items.length >= found.count;
    $("#grid-none").hidden = found.count > 0;
    this.tell();
  }

  picture(item, side) {
    return address(`sets/${encodeURIComponent(this.chosen)}/images/${item.position}?side=${side}&masks=${$("#data-masks").checked ? 1 : 0}`);
  }

  card(item, k) {
    const colours = Object.fromEntries(this.set.classes.map((one) => [one.name, one.colour]));
    return h(
      "button", { type: "button", class: "card", "data-said": item.verdict, "data-at": k, onclick: () => this.look(k) },
      h("img", { src: this.picture(item, 480), alt: `${item.file}, ${item.state}`, loading: "lazy", width: item.width, height: item.height }),
      h("span", { class: "name" }, item.file.split("/").pop()),
      h("span", { class: "marks" }, ...item.defects.map(([name, number]) => h("span", { class: "mark", style: { "--class": colour(colours[name] ?? [128, 128, 128]) }, title: `${number} ${name}` }, number)), item.state === "annotated" ? null : h("span", { class: "tag" }, item.state)),
    );
  }

  redraw() {
    [...$("#grid").children].forEach((card, k) => { card.querySelector("img").src = this.picture(this.items[k], 480); });
    if ($("#look").open) this.look(this.at);
  }

  look(k) {
    const item = this.items[k];
    if (!item) return;
    this.at = k;
    $("#look-name").textContent = item.file;
    $("#look-about").textContent = `${item.width} × ${item.height} · ${item.state}${item.split ? ` · ${item.split}` : ""} · ${item.defects.map(([name, number]) => `${number} ${name}`).join(", ") || "no defects"}`;
    $("#look-picture").src = this.picture(item, 1800);
    $("#look-picture").alt = item.file;
    $("#look").dataset.said = item.verdict;
    $("#look-verdicts").hidden = this.set.real;
    for (const button of document.querySelectorAll("[data-verdict]")) button.setAttribute("aria-pressed", String(item.verdict === button.dataset.verdict));
    if (!$("#look").open) $("#look").showModal();
  }

  step(by) { this.look(Math.min(Math.max(this.at + by, 0), this.items.length - 1)); }

  async judge(verdict) {
    const item = this.items[this.at];
    if (!item || this.set.real) return;
    const [before, at, set] = [item.verdict, this.at, this.chosen];
    const said = before === verdict ? "" : verdict;
    this.mark(at, said); // at once: the next key is of the next image
    if (said && at + 1 < this.items.length) this.step(1);
    else this.look(at);
    try {
      const answer = this.sent.then(() => postJson(`sets/${encodeURIComponent(set)}/verdict`, { position: item.position, verdict: said }));
      this.sent = answer.catch(() => {});
      const told = await answer;
      if (set !== this.chosen) return;
      this.verdicts = told.verdicts;
      this.tell();
    } catch (error) {
      this.mark(at, before);
      throw error;
    }
  }

  mark(at, verdict) {
    this.items[at].verdict = verdict;
    $("#grid").children[at].dataset.said = verdict;
  }

  tell() {
    if (this.set.real) return;
    const rejected = this.verdicts?.rejected ?? 0;
    $("#data-accepted").textContent = `Write the set without the ${count(rejected)} rejected`;
    $("#data-accepted").disabled = rejected === 0;
  }

  async write() {
    const made = await postJson(`sets/${encodeURIComponent(this.chosen)}/accepted`, {});
    say(`${made.folder}: ${made.images} images, ${made.left_out} left out.  ${made.command}`, { lasting: 20_000 });
    await this.open(made.folder.split("/").pop());
    location.hash = `#data/${encodeURIComponent(this.chosen)}`;
  }

  async rejects() {
    const said = await getJson(`sets/${encodeURIComponent(this.chosen)}/rejected`);
    const place = $("#rejects");
    place.hidden = false;
    place.replaceChildren(
      h("h3", {}, "Rejected by the screen while it was drawn"),
      h("p", { class: "quiet" }, said.counts.map((item) => `${item.count} ${item.class}: ${item.words}`).join(" · ")),
      h("div", { class: "grid" }, ...said.items.filter((item) => item.picture !== null).slice(0, 120).map((item) => h(
        "figure", { class: "card" },
        h("img", { src: address(`sets/${encodeURIComponent(this.chosen)}/rejected/${item.picture}`), alt: `${item.class}, ${item.words}`, loading: "lazy" }),
        h("figcaption", {}, h("span", { class: "name" }, `${item.class}: ${item.words}`), h("span", { class: "quiet" }, `${item.value}, limit ${item.limit}`)),
      ))),
    );
    place.scrollIntoView({ behavior: "smooth", block: "start" });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !$("#look").open) return false;
    const does = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), a: () => trying(() => this.judge("accepted")),
      r: () => trying(() => this.judge("rejected")), m: () => { $("#data-masks").checked = !$("#data-masks").checked; this.redraw(); },
    };
    does[event.key]?.();
    return event.key in does;
  }
}
