// The controls below the pictures: classes with their contrast, seed, truncation, variants; what the screen says.

import { CLIENT, postMessage } from "./api.js";
import { $, colour, h, later, swatch, trying } from "./dom.js";

export class Panel {
  constructor(state, { chose, changed }) {
    Object.assign(this, { state, chose, changed });
    const number = (id, key, read = Number) =>
      $(id).addEventListener("input", () => {
        const value = read($(id).value);
        if (!Number.isFinite(value)) return;
        state[key] = value;
        this.show();
        changed(key);
      });
    number("#seed", "seed", (text) => Math.min(Math.max(Math.round(Number(text)), 0), 2 ** 31 - 20));
    number("#truncation", "truncation");
    number("#variant-count", "variants");
    number("#size", "size");
    $("#dice").addEventListener("click", () => this.dice());
  }

  dice() {
    this.state.seed = Math.floor(Math.random() * 1e6);
    this.show();
    this.changed("seed");
  }

  show() {
    const { seed, truncation, variants, size } = this.state;
    for (const [id, value] of [["#seed", seed], ["#truncation", truncation], ["#variant-count", variants], ["#size", size]]) {
      if (document.activeElement !== $(id)) $(id).value = value;
    }
    $("#truncation-value").value = truncation.toFixed(2);
    $("#size-value").value = `${size} px`;
  }

  classes() {
    const list = $("#classes");
    list.replaceChildren(
      ...this.state.classes.map((item, k) =>
        h(
          "div",
          { class: "class", style: { "--class": colour(item.colour) }, "data-chosen": k === this.state.chosen ? "yes" : "no" },
          h(
            "button",
            {
              type: "button", class: "pick", "aria-pressed": String(k === this.state.chosen),
              title: `Paint ${item.name} (key ${k + 1}); ${item.objects} in the training images`, onclick: () => this.choose(k),
            },
            swatch(item.colour), h("span", { class: "name" }, item.name), k < 9 ? h("kbd", {}, String(k + 1)) : null,
          ),
          this.state.hasContrast ? this.contrast(item, k) : null,
        ),
      ),
    );
  }

  contrast(item, k) {
    const usual = item.chosen === null;
    const value = usual ? item.contrast : item.chosen;
    const output = h("output", { class: usual ? "quiet" : "" }, signed(value));
    const slider = h("input", {
      type: "range", min: -1, max: 1, step: 0.01, value, "aria-label": `Contrast of ${item.name}`,
      title: "How much brighter than round it; double click: the usual one",
      oninput: (event) => {
        item.chosen = Number(event.target.value);
        output.textContent = signed(item.chosen);
        output.className = "";
        this.changed("contrast");
      },
      ondblclick: () => {
        item.chosen = null;
        this.classes();
        this.changed("contrast");
      },
    });
    return h("label", { class: "contrast" }, slider, output);
  }

  choose(k) {
    if (k >= this.state.classes.length) return;
    this.state.chosen = k;
    this.classes();
    this.chose(k);
  }
}

const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

// What the screen of synthesize would say, asked a moment after the last change.
export class Verdict {
  constructor(state, result) {
    Object.assign(this, { state, result });
    this.soon = later(350, () => trying(() => this.ask()));
  }

  clear() {
    $("#verdict").replaceChildren(h("p", { class: "quiet" }, "Paint on the left image; what is drawn shows on the right."));
    $("#verdict").dataset.tone = "none";
  }

  async ask() {
    const picture = this.result.picture;
    if (!picture) return;
    const [head, bits] = this.result.request({ seeds: [picture.seed], slot: "judge", client: CLIENT });
    const said = await (await postMessage("judge", head, bits)).json();
    if (picture !== this.result.picture) return;
    this.show(said);
    if (said.state === "loading") setTimeout(() => picture === this.result.picture && this.soon(), 1500);
  }

  show(said) {
    const place = $("#verdict");
    const finding = said.finding;
    place.dataset.tone = said.passes ? "gain" : "loss";
    place.replaceChildren(
      h("p", { class: "words" }, said.passes ? "The screen would keep it." : `The screen would reject it: ${finding.words} (${finding.class}).`),
      h("table", {}, h("thead", {}, row("th", "", "visible", "on mask", "seam", "nearest")), h("tbody", {}, ...said.defects.map((item) => this.defect(item, said)))),
      h("p", { class: "quiet" }, this.aside(said)),
    );
  }

  defect(item, said) {
    const known = this.state.classes.find((one) => one.name === item.class);
    const mark = (value, good, title) => h("td", { class: good ? "" : "bad", title }, value);
    return h(
      "tr", {},
      h("th", { scope: "row" }, swatch(known.colour), item.class),
      mark(`${Math.round(100 * item.shown)} %`, item.shown >= said.limits.shown),
      mark(`${Math.round(100 * item.overlap)} %`, true),
      mark(item.seam === null ? "–" : item.seam.toFixed(2), item.seam === null || item.seam <= said.limits.seam),
      mark(item.distance === null ? (said.state === "loading" ? "…" : "–") : item.distance.toFixed(2), item.distance === null || item.distance >= item.nearest,
        item.distance === null ? null : `How far the nearest training object is; a copy below ${item.nearest.toFixed(2)}`),
    );
  }

  aside(said) {
    if (said.state === "loading") return "Looking at the training objects, to tell copies …";
    if (said.state !== "ready") return said.state;
    const limits = `At least ${Math.round(100 * said.limits.shown)} % visible, seam at most ${said.limits.seam}.`;
    return said.segmenter ? limits : `${limits} No segmenter looks: the first synthesize trains one.`;
  }
}

const row = (tag, ...cells) => h("tr", {}, ...cells.map((cell) => h(tag, { scope: "col" }, cell)));
