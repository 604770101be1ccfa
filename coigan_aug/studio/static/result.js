// What was drawn: asked for with the newest mask, shown over the base; compared, variants to pick from.

import { CLIENT, parted, postMessage } from "./api.js";
import { $, h, trying } from "./dom.js";
import { sheet } from "./views.js";

const STRONGER = 4; // how much a difference is enlarged

export class Result {
  constructor(views, state, { drawn, told }) {
    Object.assign(this, { views, state, drawn, told });
    this.canvas = sheet(1, 1);
    this.difference = sheet(1, 1);
    this.picture = null; // the boxes and pixels that are shown
    this.running = false;
    this.again = false;
    this.variants = [];
  }

  setBase(base) {
    this.base = base;
    this.picture = null;
    this.variants = [];
    this.listVariants();
    for (const name of ["canvas", "difference"]) this[name] = sheet(base.width, base.height);
    this.clear();
  }

  clear() {
    this.picture = null;
    this.differs = false;
    this.variants = [];
    this.listVariants();
    this.canvas.getContext("2d").drawImage(this.base, 0, 0);
    this.difference.getContext("2d").clearRect(0, 0, this.base.width, this.base.height);
    this.views.draw();
    this.drawn(null);
  }

  layers() {
    if (this.state.comparing) return [[this.base, 1]];
    if (this.state.difference) return [[this.showDifference(), 1]];
    return [[this.canvas, 1]];
  }

  // The head and the bits of a request for what is painted now.
  request(extra = {}) {
    const { layers, bits } = this.state.mask.layers(this.state.classes);
    const { base, run, seed, truncation, style, siblings, between } = this.state;
    return [{ base: base.id, run, layers, seeds: [seed], truncation, style, siblings, between, client: CLIENT, ...extra }, bits];
  }

  // Draws what is painted now; while one request runs, the newest state waits and others are forgotten.
  async generate() {
    if (this.state.mask.empty) {
      this.clear();
      return;
    }
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    this.state.between = null; // between variants of what was painted before
    this.told("busy");
    do {
      this.again = false;
      await trying(() => this.draw());
    } while (this.again);
    this.running = false;
    this.told("idle");
    if (this.state.variants > 1 && this.picture) trying(() => this.drawVariants());
  }

  async draw() {
    const begun = performance.now();
    const base = this.base;
    const response = await postMessage("draw", ...this.request());
    const { head, bytes } = parted(await response.arrayBuffer());
    if (base !== this.base) return;
    this.show(pictures(head, bytes)[0]);
    this.drawn(this.picture, performance.now() - begun);
  }

  // Draws between two variants, which stay as they are; of many requests at once the newest.
  async mix() {
    if (!this.picture || this.running) return;
    this.mixAgain = this.mixing;
    if (this.mixing) return;
    this.mixing = true;
    do {
      this.mixAgain = false;
      await trying(() => this.draw());
    } while (this.mixAgain);
    this.mixing = false;
  }

  // One at a time, so that a stroke meanwhile waits for one picture at most.
  async drawVariants() {
    const { seed, variants } = this.state;
    const [base, picture] = [this.base, this.picture];
    this.variants = [picture];
    this.listVariants(variants);
    for (let next = seed + 1; next < seed + variants; next++) {
      const response = await postMessage("draw", ...this.request({ seeds: [next], slot: "variants" }));
      const { head, bytes } = parted(await response.arrayBuffer());
      if (base !== this.base || !this.variants.includes(picture) || this.running) return;
      this.variants.push(...pictures(head, bytes));
      this.listVariants(variants);
    }
    this.drawn(this.picture);
  }

  show(picture) {
    const before = this.picture;
    this.picture = picture;
    const context = this.canvas.getContext("2d");
    for (const { box: [left, top, width, height] } of before?.parts ?? []) {
      context.drawImage(this.base, left, top, width, height, left, top, width, height);
    }
    for (const { box: [left, top], image } of picture.parts) context.putImageData(image, left, top);
    this.differs = false;
    this.views.draw(1);
  }

  // What changed, made when it is looked at.
  showDifference() {
    if (this.differs || !this.picture) return this.difference;
    this.differs = true;
    const context = this.difference.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.base.width, this.base.height);
    for (const { box: [left, top, width, height], image } of this.picture.parts) {
      context.putImageData(this.differing(image, left, top, width, height), left, top);
    }
    return this.difference;
  }

  differing(image, left, top, width, height) {
    const canvas = sheet(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.base, left, top, width, height, 0, 0, width, height);
    const before = context.getImageData(0, 0, width, height);
    for (let k = 0; k < before.data.length; k++) {
      if (k % 4 !== 3) before.data[k] = STRONGER * Math.abs(before.data[k] - image.data[k]);
    }
    return before;
  }

  // The row of variants; `waiting` is how many there will be.
  listVariants(waiting = 0) {
    const row = $("#variants");
    row.replaceChildren();
    row.hidden = this.variants.length === 0;
    const total = Math.max(waiting, this.variants.length);
    for (let k = 0; k < total; k++) {
      const picture = this.variants[k];
      const chosen = picture && picture.seed === this.state.seed;
      const button = h("button", {
        class: "variant", type: "button", disabled: !picture, "aria-pressed": chosen ? "true" : "false",
        "aria-label": picture ? `Variant with seed ${picture.seed}` : "Variant, being drawn",
        onclick: () => this.pick(picture),
      });
      if (picture) button.append(this.closeUp(picture), h("span", {}, String(picture.seed)));
      row.append(button);
    }
  }

  pick(picture) {
    this.state.seed = picture.seed;
    this.state.between = null;
    this.show(picture);
    this.listVariants();
    this.drawn(picture);
  }

  // A canvas with the surroundings of what was drawn; of parts that lie far apart, of the largest.
  closeUp(picture) {
    const edges = picture.parts.map(({ box }) => box);
    const largest = edges.reduce((one, other) => (one[2] * one[3] < other[2] * other[3] ? other : one));
    const apart = (k) => Math.max(...edges.map((box) => box[k] + box[k + 2])) - Math.min(...edges.map((box) => box[k]));
    const shown = apart(0) > 2.5 * largest[2] || apart(1) > 2.5 * largest[3] ? [largest] : edges;
    const left = Math.max(Math.min(...shown.map((box) => box[0])) - 10, 0);
    const top = Math.max(Math.min(...shown.map((box) => box[1])) - 10, 0);
    const right = Math.min(Math.max(...shown.map((box) => box[0] + box[2])) + 10, this.base.width);
    const bottom = Math.min(Math.max(...shown.map((box) => box[1] + box[3])) + 10, this.base.height);
    const canvas = sheet(right - left, bottom - top);
    const context = canvas.getContext("2d");
    context.drawImage(this.base, -left, -top);
    for (const { box, image } of picture.parts) context.putImageData(image, box[0] - left, box[1] - top);
    return canvas;
  }
}

function pictures(head, bytes) {
  let at = 0;
  return head.seeds.map((seed) => ({
    seed,
    defects: head.defects,
    parts: head.boxes.map((box) => {
      const pixels = box[2] * box[3];
      const image = new ImageData(box[2], box[3]);
      const data = image.data;
      for (let k = 0; k < pixels; k++) {
        for (let c = 0; c < 3; c++) data[4 * k + c] = bytes[at + (head.channels === 1 ? k : 3 * k + c)];
        data[4 * k + 3] = 255;
      }
      at += pixels * head.channels;
      return { box, image };
    }),
  }));
}
