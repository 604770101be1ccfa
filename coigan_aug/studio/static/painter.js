// The tools: pointer and wheel over the canvases become strokes, polygons, stamps, panning and zooming.

import { colour } from "./dom.js";
import { sheet } from "./views.js";

const CLOSE = 9; // CSS px from its first corner at which a polygon is closed

export class Painter {
  constructor(views, state, { stroked }) {
    this.views = views;
    this.state = state;
    this.stroked = stroked;
    this.pointers = new Map();
    this.corners = [];
    this.hover = null;
    this.drag = null;
    this.overlay = sheet(1, 1);
    const [left, right] = views.panes;
    for (const pane of views.panes) {
      pane.addEventListener("pointerdown", (event) => this.down(event, pane === left));
      pane.addEventListener("pointermove", (event) => this.move(event, pane === left));
      for (const name of ["pointerup", "pointercancel"]) pane.addEventListener(name, (event) => this.up(event));
      pane.addEventListener("pointerleave", () => { this.hover = null; views.draw(); });
      pane.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
      pane.addEventListener("contextmenu", (event) => event.preventDefault());
      pane.addEventListener("dblclick", () => this.closePolygon());
    }
    views.above = [(context) => this.cursor(context, true), (context) => this.cursor(context, false)];
    this.right = right;
  }

  setMask(mask) {
    this.corners = [];
    this.overlay = sheet(mask.width, mask.height);
    mask.changed = (box) => { this.tint(mask, box); this.views.draw(0); };
    this.tint(mask, [0, 0, mask.width, mask.height]);
    this.views.draw();
  }

  tint(mask, [left, top, right, bottom]) {
    const pixels = new ImageData(right - left, bottom - top);
    const colours = this.state.classes.map((item) => item.colour);
    for (let y = top, k = 0; y < bottom; y++) {
      for (let x = left; x < right; x++, k += 4) {
        const value = mask.data[y * mask.width + x];
        if (!value) continue;
        pixels.data.set(colours[value - 1], k);
        pixels.data[k + 3] = 255;
      }
    }
    this.overlay.getContext("2d").putImageData(pixels, left, top);
  }

  get value() { return this.state.tool === "eraser" || this.erasing ? 0 : this.state.chosen + 1; }

  get panning() { return this.state.tool === "hand" || this.state.held === " "; }

  down(event, onLeft) {
    event.currentTarget.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) {
      this.state.mask.abandon();
      this.drag = { kind: "pinch" };
      return;
    }
    if (event.button === 1 || this.panning || !onLeft) {
      this.drag = { kind: "pan" };
      return;
    }
    this.erasing = event.button === 2;
    const at = this.views.toImage(event);
    const { mask, tool, size } = this.state;
    if (tool === "brush" || tool === "eraser") {
      this.drag = { kind: "stroke", at };
      if (event.shiftKey && this.last) mask.stroke(...this.last, ...at, size, this.value);
      else mask.stroke(...at, ...at, size, this.value);
    } else if (tool === "line") {
      this.drag = { kind: "line", from: at, to: at };
    } else if (tool === "polygon") {
      this.corner(at);
    } else if (tool === "stamp" && this.state.stamp) {
      const { bytes, width, height } = this.state.stamp;
      mask.stamp(bytes, width, height, Math.round(at[0] - width / 2), Math.round(at[1] - height / 2), this.value);
      this.end();
    }
    this.views.draw();
  }

  move(event, onLeft) {
    const before = this.pointers.get(event.pointerId);
    this.hover = onLeft || this.state.tool !== "hand" ? this.views.toImage(event) : null;
    if (before) {
      const now = [event.clientX, event.clientY];
      if (this.drag?.kind === "pinch") this.pinch(event, before, now);
      else if (this.drag?.kind === "pan") this.views.pan(now[0] - before[0], now[1] - before[1]);
      else if (this.drag?.kind === "stroke") this.stroke(event);
      else if (this.drag?.kind === "line") this.drag.to = this.hover;
      this.pointers.set(event.pointerId, now);
    }
    this.views.draw();
  }

  stroke(event) {
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) {
      const bounds = this.views.panes[0].getBoundingClientRect();
      const { zoom, x, y } = this.views;
      const at = [(step.clientX - bounds.left - x) / zoom, (step.clientY - bounds.top - y) / zoom];
      this.state.mask.stroke(...this.drag.at, ...at, this.state.size, this.value);
      this.drag.at = at;
    }
  }

  pinch(event, before, now) {
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    const bounds = this.views.panes[0].getBoundingClientRect();
    this.views.zoomAt((now[0] + other[0]) / 2 - bounds.left, (now[1] + other[1]) / 2 - bounds.top, apart(now) / apart(before));
    this.views.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const drag = this.drag;
    if (this.pointers.size) return;
    this.drag = null;
    if (drag?.kind === "stroke") {
      this.last = drag.at;
      this.end();
    } else if (drag?.kind === "line") {
      this.state.mask.stroke(...drag.from, ...drag.to, this.state.size, this.value);
      this.end();
    }
    this.erasing = false;
    this.views.draw();
  }

  end() {
    if (this.state.mask.settle()) this.stroked();
  }

  corner(at) {
    const first = this.corners[0];
    const near = first && Math.hypot(at[0] - first[0], at[1] - first[1]) * this.views.zoom < CLOSE;
    if (near && this.corners.length > 2) this.closePolygon();
    else this.corners.push(at);
  }

  closePolygon() {
    if (this.corners.length > 2) {
      this.state.mask.polygon(this.corners, this.value);
      this.end();
    }
    this.corners = [];
    this.views.draw();
  }

  // Gives up a polygon or a stroke that is under way; tells whether there was one.
  escape() {
    const busy = this.corners.length > 0 || this.drag?.kind === "line";
    this.corners = [];
    if (this.drag) this.state.mask.abandon();
    this.drag = null;
    this.views.draw();
    return busy;
  }

  wheel(event) {
    event.preventDefault();
    const bounds = event.currentTarget.getBoundingClientRect();
    const step = event.deltaMode ? event.deltaY * 16 : event.deltaY;
    this.views.zoomAt(event.clientX - bounds.left, event.clientY - bounds.top, Math.exp(-step * 0.0018));
  }

  // What is about to be painted: the brush's size, a line or polygon under way, the shape to be put down.
  cursor(context, onLeft) {
    const { zoom, x, y } = this.views;
    const toPane = ([px, py]) => [px * zoom + x, py * zoom + y];
    const item = this.state.classes[this.state.chosen];
    if (!item) return;
    const ink = this.value ? colour(item.colour) : "#fff";
    context.lineWidth = 1.5;
    context.strokeStyle = ink;
    if (onLeft && this.drag?.kind === "line") this.path(context, [this.drag.from, this.drag.to].map(toPane), ink, this.state.size * zoom);
    if (onLeft && this.corners.length) {
      const points = this.corners.map(toPane);
      this.path(context, this.hover ? [...points, toPane(this.hover)] : points, ink, 1.5);
      for (const [px, py] of points) context.strokeRect(px - 2.5, py - 2.5, 5, 5);
    }
    if (!this.hover || this.panning) return;
    const [cx, cy] = toPane(this.hover);
    const { tool, stamp } = this.state;
    if (tool === "stamp" && stamp) {
      context.strokeRect(cx - (stamp.width * zoom) / 2, cy - (stamp.height * zoom) / 2, stamp.width * zoom, stamp.height * zoom);
    } else if (tool === "polygon" || !onLeft) {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(cx + 3 * dx, cy + 3 * dy);
        context.lineTo(cx + 9 * dx, cy + 9 * dy);
      }
      context.stroke();
    } else {
      for (const [style, wide] of [["#0009", 3], [ink, 1.5]]) {
        context.beginPath();
        context.arc(cx, cy, Math.max((this.state.size * zoom) / 2, 1.5), 0, 2 * Math.PI);
        [context.strokeStyle, context.lineWidth] = [style, wide];
        context.stroke();
      }
    }
  }

  path(context, points, ink, width) {
    context.beginPath();
    points.forEach(([px, py], k) => (k ? context.lineTo(px, py) : context.moveTo(px, py)));
    [context.strokeStyle, context.lineWidth, context.lineCap] = [ink, Math.max(width, 1), "round"];
    context.globalAlpha = width > 3 ? 0.6 : 1;
    context.stroke();
    context.globalAlpha = 1;
  }
}
