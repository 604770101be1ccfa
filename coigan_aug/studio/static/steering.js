// What the latent gives: sliders for traits, siblings of a training object, and what lies between two variants.

import { postJson } from "./api.js";
import { $, h, say, trying } from "./dom.js";

const SIBLINGS = 6; // variants that are drawn where only one was asked for

export class Steering {
  constructor(state, result, { changed, placed, busy }) {
    Object.assign(this, { state, result, changed, placed, busy });
    $("#shape-siblings").addEventListener("click", () => trying(() => this.make()));
    $("#siblings-end").addEventListener("click", () => this.end());
    $("#spread").addEventListener("input", () => {
      if (!state.siblings) return;
      state.siblings = { ...state.siblings, spread: Number($("#spread").value) };
      this.show();
      changed("siblings");
    });
    $("#mixture-share").addEventListener("input", () => this.mix());
    $("#mixture-seed").addEventListener("change", () => this.mix());
  }

  // What a run offers.
  take({ latent, traits, measured, run }) {
    Object.assign(this.state, { style: {}, siblings: null, between: null, latent });
    $("#traits").replaceChildren(...traits.map((name) => this.trait(name)));
    const none = $("#traits-none");
    none.hidden = !latent || traits.length > 0;
    none.textContent = measured
      ? "No sliders: no direction of this run was kept."
      : `No sliders yet: coigan-aug directions --run ${run}`;
    this.show();
  }

  trait(name) {
    const output = h("output", {}, "0");
    const slider = h("input", {
      type: "range", min: -3, max: 3, step: 0.1, value: 0, "aria-label": name, "data-trait": name,
      title: "In standard deviations of what latents give it; double click: as it comes",
      oninput: () => this.set(name, Number(slider.value), output),
      ondblclick: () => {
        slider.value = 0;
        this.set(name, 0, output);
      },
    });
    return h("label", { class: "field" }, h("span", {}, name), slider, output);
  }

  set(name, value, output) {
    const { [name]: _, ...others } = this.state.style;
    this.state.style = value === 0 ? others : { ...others, [name]: value };
    output.textContent = value === 0 ? "0" : `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(1)}`;
    this.changed("style");
  }

  show() {
    const { siblings, shape, latent } = this.state;
    $("#shape-siblings").disabled = !shape || !latent;
    $("#shape-siblings").hidden = !latent;
    $("#siblings").hidden = !siblings;
    if (siblings) $("#spread-value").value = siblings.spread.toFixed(2);
    this.mixture();
  }

  // Finds the latent of the object whose shape is picked, puts the shape where it was if nothing is painted, draws a row.
  async make() {
    const { shape, mask } = this.state;
    if (!shape) return;
    this.busy("busy");
    say(`Looking for the latent that redraws the ${shape.label} of ${shape.file} …`, { lasting: 60_000 });
    let found;
    try {
      found = await postJson("project", { object: shape.id });
    } finally {
      this.busy("idle");
    }
    this.state.siblings = { of: shape.id, spread: Number($("#spread").value) };
    this.state.between = null;
    $("#siblings-of").textContent = `Siblings of ${found.name} (${found.class})`;
    $("#siblings-of").title = `Inside its mask random latents are ${found.random} grey levels off, this one's ${found.projected}`;
    say(`Inside its mask random latents are ${found.random} grey levels off, the one found ${found.projected}.`);
    if (this.state.variants < 2) this.state.variants = SIBLINGS;
    this.show();
    if (mask.empty) this.place(shape);
    else this.result.generate();
  }

  place({ bytes, left, top, width, height }) {
    const { mask, chosen } = this.state;
    const x = Math.max(Math.min(left, mask.width - width), 0);
    const y = Math.max(Math.min(top, mask.height - height), 0);
    const data = new Uint8Array(mask.data);
    for (let row = 0; row < Math.min(height, mask.height); row++) {
      for (let column = 0; column < Math.min(width, mask.width); column++) {
        if (bytes[row * width + column]) data[(y + row) * mask.width + x + column] = chosen + 1;
      }
    }
    mask.replace(data);
    if (mask.settle()) this.placed();
  }

  end() {
    this.state.siblings = null;
    this.show();
    this.changed("siblings");
  }

  // The slider from the picked variant to another one.
  mixture() {
    const { variants } = this.result;
    const { seed, between, latent } = this.state;
    const others = variants.filter((picture) => picture.seed !== seed).map((picture) => picture.seed);
    $("#mixture").hidden = !latent || others.length === 0;
    const known = [...$("#mixture-seed").options].map((option) => Number(option.value));
    if (String(known) !== String(others)) {
      const before = Number($("#mixture-seed").value);
      $("#mixture-seed").replaceChildren(
        ...others.map((other) => h("option", { value: other, selected: other === before }, `seed ${other}`)),
      );
    }
    if (!between) $("#mixture-share").value = 0;
  }

  mix() {
    const share = Number($("#mixture-share").value);
    this.state.between = share > 0 ? { seed: Number($("#mixture-seed").value), share } : null;
    this.result.mix();
  }
}
