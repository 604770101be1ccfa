// The page "Paint": its state, and how tools, result, controls and lists work together.

import { address, getJson, postJson } from "./api.js";
import { Bases } from "./bases.js";
import { $, $$, count, h, say, trying } from "./dom.js";
import { KeyboardBrush } from "./keyboard.js";
import { Keeping } from "./keep.js";
import { PaintedMask } from "./mask.js";
import { Painter } from "./painter.js";
import { Panel, Verdict } from "./panel.js";
import { Result } from "./result.js";
import { Shapes } from "./shapes.js";
import { Steering } from "./steering.js";
import { Views } from "./views.js";

const REDRAWN = new Set(["seed", "truncation", "contrast", "variants", "style", "siblings"]);

export class PaintPage {
  constructor() {
    this.state = {
      classes: [], bases: [], kept: [], chosen: 0, base: null, run: "", mask: new PaintedMask(1, 1),
      tool: "brush", size: 12, seed: 1, truncation: 1, style: {}, siblings: null, between: null, shape: null, latent: false, variants: 1, auto: true,
      comparing: false, difference: false, stamp: null, held: "", outline: true, hasContrast: true,
    };
    const state = this.state;
    this.views = new Views($("#left"), $("#right"));
    this.result = new Result(this.views, state, {
      drawn: (picture, took) => this.drawn(picture, took), told: (what) => this.told(what),
    });
    this.painter = new Painter(this.views, state, { stroked: () => this.painted() });
    this.keyboard = new KeyboardBrush(this.painter, this.views, state);
    this.panel = new Panel(state, { chose: (k) => this.chose(k), changed: (key) => this.changed(key) });
    this.verdict = new Verdict(state, this.result);
    this.bases = new Bases(state, { choose: (base) => this.choose(base) });
    this.keeping = new Keeping(state, this.result);
    this.keeping.loaded = () => this.painted();
    this.steering = new Steering(state, this.result, {
      changed: (key) => this.changed(key), placed: () => this.painted(), busy: (what) => this.told(what),
    });
    this.shapes = new Shapes(state, { picked: (one) => this.picked(one) });
    this.views.layers = [
      () => (this.result.base ? [[this.result.base, 1], [this.painter.overlay, state.outline ? 0.5 : 0]] : []),
      () => (this.result.base ? this.result.layers() : []),
    ];
    this.views.zoomed = (zoom) => { $("#zoom").value = `${Math.round(100 * zoom)} %`; };
    this.wire();
  }

  wire() {
    for (const button of $$("button[data-tool]")) button.addEventListener("click", () => this.useTool(button.dataset.tool));
    const does = {
      "#undo": () => this.undo(), "#redo": () => this.redo(), "#clear": () => this.clearMask(), "#fit": () => this.views.fit(),
      "#zoom-in": () => this.views.zoomAt(...this.middle(), 1.5), "#zoom-out": () => this.views.zoomAt(...this.middle(), 1 / 1.5),
      "#whole": () => this.views.zoomTo(1), "#generate": () => this.result.generate(), "#difference": () => this.toggle("difference"),
      "#show-mask": () => this.toggle("outline"), "#auto": () => this.toggle("auto"),
    };
    for (const [id, work] of Object.entries(does)) $(id).addEventListener("click", work);
    const compare = $("#compare");
    for (const name of ["pointerdown"]) compare.addEventListener(name, () => this.compare(true));
    for (const name of ["pointerup", "pointerleave", "blur"]) compare.addEventListener(name, () => this.compare(false));
    compare.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.compare(true));
    compare.addEventListener("keyup", () => this.compare(false));
    $("#run").addEventListener("change", () => trying(() => this.load($("#run").value)));
    for (const id of ["#auto", "#show-mask", "#difference"]) this.press(id);
    this.useTool("brush");
    this.panel.show();
    this.verdict.clear();
  }

  middle() { return [this.views.panes[0].clientWidth / 2, this.views.panes[0].clientHeight / 2]; }

  async open() {
    this.take(await getJson("state"));
    const usual = this.state.bases.find((base) => !base.erased) ?? this.state.bases[0];
    if (usual) await this.choose(usual);
    else say("No training image can be drawn on: import defect-free images.", { bad: true });
  }

  take(told) {
    Object.assign(this.state, {
      run: told.run, bases: told.bases, kept: told.kept, hasContrast: told.contrast, margin: told.margin,
      classes: told.classes.map((item) => ({ ...item, chosen: null })),
    });
    $("#workspace").textContent = told.workspace;
    $("#run").replaceChildren(...told.runs.map((name) => h("option", { value: name, selected: name === told.run }, name)));
    $("#latent").hidden = !told.latent;
    this.steering.take(told);
    const erased = told.bases.some((base) => base.erased) && told.bases.some((base) => !base.erased);
    $("#base-kind").hidden = !erased;
    if (erased) $("#base-kind").value = "clean";
    this.bases.render();
    this.panel.classes();
    this.keeping.sets();
    this.shapes.show();
  }

  async load(name) {
    this.told("busy");
    try {
      this.take(await postJson("load", { run: name }));
    } finally {
      this.told("idle");
      $("#run").value = this.state.run;
    }
    this.painter.setMask(this.state.mask);
    this.result.generate();
  }

  async choose(base) {
    const response = await trying(async () => {
      const answer = await fetch(address(`base/${base.id}`));
      if (!answer.ok) throw Object.assign(new Error((await answer.json()).message), { status: answer.status });
      return answer;
    });
    if (!response) return;
    const image = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
    const { mask } = this.state;
    const carried = $("#carry").checked && mask.width === base.width && mask.height === base.height && this.state.base;
    if (this.state.base) this.state.base.mask = mask;
    if (!carried) this.state.mask = base.mask ?? new PaintedMask(base.width, base.height);
    this.state.base = base;
    this.result.setBase(image);
    this.painter.setMask(this.state.mask);
    $("#views").dataset.wide = base.width > 1.7 * base.height ? "yes" : "no";
    this.views.resize();
    this.views.show(base.width, base.height);
    this.bases.mark();
    this.steps();
    const sizes = `${base.file} · ${base.width} × ${base.height}${base.erased ? " · its defects erased" : ""}`;
    $("#base-name").textContent = sizes;
    if (!this.state.mask.empty) this.result.generate();
  }

  painted() {
    this.steps();
    if (this.state.auto || this.state.mask.empty) this.result.generate();
  }

  changed(key) {
    if (REDRAWN.has(key) && this.state.auto && this.result.picture) this.result.generate();
    if (key === "size") this.views.draw();
  }

  picked(one) {
    this.steering.show();
    if (one) this.useTool("stamp");
  }

  chose() {
    if (this.state.tool === "eraser" || this.state.tool === "hand") this.useTool("brush");
    this.shapes.show();
    this.views.draw();
  }

  drawn(picture, took) {
    this.keeping.shown();
    this.panel.show();
    this.steering.mixture();
    for (const id of ["#compare", "#difference"]) $(id).disabled = !picture;
    if (!picture) this.verdict.clear();
    else this.verdict.soon();
    if (took !== undefined) $("#took").value = `${Math.round(took)} ms`;
    $("#right-name").textContent = picture ? `${count(picture.defects)} drawn, seed ${picture.seed}` : "as it is";
  }

  told(what) { document.body.dataset.busy = what === "busy" ? "yes" : "no"; }

  steps() {
    $("#undo").disabled = !this.state.mask.done.length;
    $("#redo").disabled = !this.state.mask.undone.length;
    $("#clear").disabled = $("#mask-save").disabled = this.state.mask.empty;
  }

  undo() { if (this.state.mask.undo()) this.painted(); }

  redo() { if (this.state.mask.redo()) this.painted(); }

  clearMask() {
    this.state.mask.replace(new Uint8Array(this.state.mask.data.length));
    if (this.state.mask.settle()) this.painted();
  }

  useTool(tool) {
    this.state.tool = tool;
    this.painter.corners = [];
    for (const button of $$("button[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    $("#shapes").hidden = tool !== "stamp";
    $("#left").dataset.tool = tool;
    if (tool === "stamp") this.shapes.show();
    this.views.draw();
  }

  toggle(key) {
    this.state[key] = !this.state[key];
    for (const id of ["#auto", "#show-mask", "#difference"]) this.press(id);
    this.views.draw();
    if (key === "auto" && this.state.auto) this.result.generate();
  }

  press(id) {
    const key = { "#auto": "auto", "#show-mask": "outline", "#difference": "difference" }[id];
    $(id).setAttribute("aria-pressed", String(this.state[key]));
  }

  compare(on) {
    if (this.state.comparing === on) return;
    this.state.comparing = on;
    $("#compare").setAttribute("aria-pressed", String(on));
    this.views.draw();
  }

  resized(factor) {
    const size = Math.round(this.state.size * factor) === this.state.size ? this.state.size + Math.sign(factor - 1) : Math.round(this.state.size * factor);
    this.state.size = Math.min(Math.max(size, 1), 200);
    this.panel.show();
    this.views.draw();
  }

  // One key each; tells whether it was one of this page's.
  key(event) {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      const steps = { z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo() };
      steps[name]?.();
      return name in steps;
    }
    if (event.altKey) return false;
    if (this.keyboard.key(event)) return true;
    const tools = { b: "brush", e: "eraser", l: "line", p: "polygon", s: "stamp", h: "hand" };
    const does = {
      "[": () => this.resized(1 / 1.2), "]": () => this.resized(1.2), f: () => this.views.fit(), 0: () => this.views.zoomTo(1),
      "+": () => this.views.zoomAt(...this.middle(), 1.25), "=": () => this.views.zoomAt(...this.middle(), 1.25),
      "-": () => this.views.zoomAt(...this.middle(), 0.8), g: () => this.result.generate(), a: () => this.toggle("auto"),
      d: () => this.result.picture && this.toggle("difference"), m: () => this.toggle("outline"), r: () => this.panel.dice(),
      k: () => this.keeping.keep(), c: () => this.keeping.copy(), n: () => this.bases.random(), x: () => this.compare(true),
      Escape: () => this.painter.escape(), Enter: () => this.painter.closePolygon(), " ": () => this.hold(" "),
    };
    if (name in tools) this.useTool(tools[name]);
    else if (/^[1-9]$/.test(name)) this.panel.choose(Number(name) - 1);
    else if (name in does) does[name]();
    else return false;
    return true;
  }

  hold(key) {
    this.state.held = key;
    $("#left").dataset.tool = "hand";
  }

  release(event) {
    if (event.key === " ") {
      this.state.held = "";
      $("#left").dataset.tool = this.state.tool;
    }
    if (event.key.toLowerCase() === "x") this.compare(false);
  }
}
