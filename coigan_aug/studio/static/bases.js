// The images to draw on: thumbnails, search, one at random.

import { address } from "./api.js";
import { $, count, h } from "./dom.js";

const STEP = 60;

export class Bases {
  constructor(state, { choose }) {
    Object.assign(this, { state, choose, shown: STEP });
    this.list = $("#base-list");
    $("#base-search").addEventListener("input", () => { this.shown = STEP; this.render(); });
    $("#base-kind").addEventListener("change", () => { this.shown = STEP; this.render(); });
    $("#base-random").addEventListener("click", () => this.random());
    this.list.addEventListener("scroll", () => this.more());
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  matching() {
    const text = $("#base-search").value.trim().toLowerCase();
    const kind = $("#base-kind").value;
    return this.state.bases.filter(
      (base) => (!text || base.file.toLowerCase().includes(text)) && (!kind || base.erased === (kind === "erased")),
    );
  }

  render() {
    const found = this.matching();
    $("#base-count").textContent = `${count(found.length)} of ${count(this.state.bases.length)}`;
    this.list.replaceChildren(...found.slice(0, this.shown).map((base) => this.item(base)));
    if (!found.length) this.list.append(h("p", { class: "quiet" }, "No image matches."));
  }

  item(base) {
    const chosen = base.id === this.state.base?.id;
    return h(
      "button",
      {
        type: "button", class: "base", "data-id": base.id, "aria-pressed": String(chosen),
        title: `${base.file}, ${base.width} × ${base.height}${base.erased ? ", its defects erased" : ""}`,
        onclick: () => this.choose(base),
      },
      h("img", { src: address(`thumb/${base.id}?run=${this.state.run}`), alt: "", loading: "lazy", width: base.width, height: base.height }),
      h("span", { class: "name" }, base.file),
      base.erased ? h("span", { class: "tag" }, "erased") : null,
    );
  }

  mark() {
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.id) === this.state.base?.id));
    }
  }

  more() {
    const end = this.list.scrollTop + this.list.clientHeight > this.list.scrollHeight - 300;
    if (end && this.shown < this.matching().length) {
      const from = this.shown;
      this.shown += STEP;
      this.list.append(...this.matching().slice(from, this.shown).map((base) => this.item(base)));
    }
  }

  random() {
    const found = this.matching().filter((base) => base.id !== this.state.base?.id);
    if (found.length) this.choose(found[Math.floor(Math.random() * found.length)]);
  }

  // Arrow keys go through the list.
  key(event) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const buttons = [...this.list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (step && next) {
      event.preventDefault();
      next.focus();
      next.click();
    }
  }
}
