// Keeping what was drawn in a set, the command that draws the same, and masks as files.

import { postMessage } from "./api.js";
import { $, download, h, say, trying } from "./dom.js";
import { sheet } from "./views.js";

export class Keeping {
  constructor(state, result) {
    Object.assign(this, { state, result, busy: false });
    $("#keep").addEventListener("click", () => this.keep());
    $("#copy").addEventListener("click", () => this.copy());
    $("#mask-save").addEventListener("click", () => this.saveMask());
    $("#mask-load").addEventListener("click", () => $("#mask-file").click());
    $("#mask-file").addEventListener("change", () => trying(() => this.loadMask()));
  }

  sets() {
    $("#sets").replaceChildren(...this.state.kept.map((name) => h("option", { value: name })));
    if (!$("#into").value) $("#into").value = this.state.kept[0];
  }

  shown() {
    const nothing = !this.result.picture;
    for (const id of ["#keep", "#copy"]) $(id).disabled = nothing;
  }

  async keep() {
    if (!this.result.picture || this.busy) return;
    this.busy = true;
    $("#keep").setAttribute("aria-busy", "true");
    const into = $("#into").value.trim();
    const kept = await trying(async () =>
      (await postMessage("keep", ...this.result.request({ seeds: [this.result.picture.seed], into, slot: "keep" }))).json());
    $("#keep").removeAttribute("aria-busy");
    this.busy = false;
    if (!kept) return;
    if (!this.state.kept.includes(into)) this.state.kept.push(into);
    this.sets();
    $("#kept").replaceChildren(
      h("strong", {}, `${kept.images} kept in ${into}.`), ` ${kept.file.split("/").pop()} · `,
      h("a", { href: `#data/${encodeURIComponent(into)}` }, "look at the set"),
    );
    $("#kept").title = `${kept.out}; as a data set: ${kept.records}`;
    say(`Kept as ${kept.out}/${kept.file}`);
  }

  async copy() {
    if (!this.result.picture) return;
    const told = await trying(async () =>
      (await postMessage("command", ...this.result.request({ seeds: [this.result.picture.seed], slot: "command" }))).json());
    if (!told) return;
    $("#command").textContent = told.command;
    $("#command-line").hidden = false;
    try {
      await navigator.clipboard.writeText(told.command);
      say("The command is in the clipboard; it draws the same pixels.");
    } catch {
      say("The command stands below: it draws the same pixels.");
    }
  }

  // All classes in their colours on black; one class alone in white.
  saveMask() {
    const { mask, classes, base } = this.state;
    const used = new Set(mask.data);
    used.delete(0);
    const canvas = sheet(mask.width, mask.height);
    const pixels = new ImageData(mask.width, mask.height);
    mask.data.forEach((value, k) => {
      if (value) pixels.data.set(used.size === 1 ? [255, 255, 255] : classes[value - 1].colour, 4 * k);
      pixels.data[4 * k + 3] = 255;
    });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    const named = used.size === 1 ? classes[[...used][0] - 1].name : "mask";
    const stem = base.file.split("/").pop().replace(/\.\w+$/, "");
    canvas.toBlob((blob) => download(blob, `${stem}-${named}.png`), "image/png");
  }

  async loadMask() {
    const file = $("#mask-file").files[0];
    $("#mask-file").value = "";
    if (!file) return;
    const { mask, classes, chosen } = this.state;
    let image;
    try {
      image = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch {
      say(`${file.name} is no picture that this browser can read.`, { bad: true });
      return;
    }
    if (image.width !== mask.width || image.height !== mask.height) {
      const sizes = `${image.width} × ${image.height} pixels, the image ${mask.width} × ${mask.height}`;
      say(`${file.name} has ${sizes}.`, { bad: true });
      return;
    }
    const context = sheet(mask.width, mask.height).getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, mask.width, mask.height).data;
    const known = new Map(classes.map((item, k) => [item.colour.join(), k + 1]));
    const data = new Uint8Array(mask.data.length);
    for (let k = 0; k < data.length; k++) {
      const [red, green, blue, alpha] = pixels.subarray(4 * k, 4 * k + 4);
      if (alpha && (red || green || blue)) data[k] = known.get([red, green, blue].join()) ?? chosen + 1;
    }
    mask.replace(data);
    if (mask.settle()) this.loaded();
    say(`${file.name} is the mask now.`);
  }
}
