// Shapes to put down: the masks of the training objects of the chosen class, mirrored or turned.

import { address, getJson, getMessage } from "./api.js";
import { $, h, trying } from "./dom.js";
import { unpack } from "./mask.js";

const SHOWN = 80;

export class Shapes {
  constructor(state, { picked }) {
    Object.assign(this, { state, picked, of: "" });
    $("#shape-flip").addEventListener("click", () => this.change(flipped));
    $("#shape-turn").addEventListener("click", () => this.change(turned));
  }

  async show() {
    const item = this.state.classes[this.state.chosen];
    if ($("#shapes").hidden || !item || this.of === item.name) return;
    this.of = item.name;
    const list = $("#shape-list");
    const shapes = await trying(() => getJson(`shapes?class=${encodeURIComponent(item.name)}`));
    if (!shapes || this.of !== item.name) return;
    this.state.stamp = this.state.shape = null;
    this.picked(false);
    const step = Math.max(Math.ceil(shapes.length / SHOWN), 1);
    list.replaceChildren(...shapes.filter((_, k) => k % step === 0).map((shape) => this.item(shape)));
    if (!shapes.length) list.append(h("p", { class: "quiet" }, `No training object of ${item.name}.`));
  }

  item(shape) {
    return h(
      "button",
      {
        type: "button", class: "shape", "aria-pressed": "false", title: `${shape.file}, ${shape.width} × ${shape.height}`,
        "aria-label": `Shape of ${shape.width} by ${shape.height} pixels from ${shape.file}`,
        onclick: (event) => trying(() => this.pick(shape, event.currentTarget)),
      },
      h("img", { src: address(`shape/${shape.id}/picture`), alt: "", loading: "lazy" }),
    );
  }

  async pick(shape, button) {
    const { head, bytes } = await getMessage(`shape/${shape.id}`);
    const [left, top, width, height] = head.box;
    this.state.stamp = { bytes: unpack(bytes, width * height), width, height };
    this.state.shape = { ...this.state.stamp, left, top, id: shape.id, file: shape.file, label: this.of };
    for (const other of $("#shape-list").children) other.setAttribute("aria-pressed", String(other === button));
    this.picked(true);
  }

  change(how) {
    if (this.state.stamp) this.state.stamp = how(this.state.stamp);
  }
}

function flipped({ bytes, width, height }) {
  return { bytes: bytes.map((_, k) => bytes[k - (k % width) + width - 1 - (k % width)]), width, height };
}

function turned({ bytes, width, height }) {
  const out = new Uint8Array(bytes.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + height - 1 - y] = bytes[y * width + x];
  return { bytes: out, width: height, height: width };
}
