// Two canvases that show the same place at the same zoom: what is painted, and what was drawn.

const LARGEST = 40;

export class Views {
  constructor(left, right) {
    this.panes = [left, right];
    this.zoom = 1;
    this.x = 0; // where the image's corner lies in a pane, CSS px
    this.y = 0;
    this.width = 1;
    this.height = 1;
    this.layers = [() => [], () => []]; // what each pane shows: pairs of canvas and opacity
    this.above = [null, null]; // drawn over the image, in screen px
    this.asked = new Set();
    this.fitted = true;
    this.zoomed = () => {};
    new ResizeObserver(() => this.resize()).observe(left);
    new ResizeObserver(() => this.resize()).observe(right);
  }

  show(width, height) {
    [this.width, this.height] = [width, height];
    this.fit();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    for (const pane of this.panes) {
      const [width, height] = [Math.round(pane.clientWidth * ratio), Math.round(pane.clientHeight * ratio)];
      if (pane.width !== width || pane.height !== height) [pane.width, pane.height] = [width, height];
    }
    if (this.fitted) this.fit();
    else this.draw();
  }

  fit() {
    const pane = this.panes[0];
    const room = [pane.clientWidth - 16, pane.clientHeight - 16];
    this.zoom = Math.min(Math.max(Math.min(room[0] / this.width, room[1] / this.height), 0.02), LARGEST);
    this.x = (pane.clientWidth - this.width * this.zoom) / 2;
    this.y = (pane.clientHeight - this.height * this.zoom) / 2;
    this.fitted = true;
    this.draw();
    this.zoomed(this.zoom);
  }

  zoomAt(x, y, factor) {
    const zoom = Math.min(Math.max(this.zoom * factor, 0.02), LARGEST);
    this.x = x - ((x - this.x) * zoom) / this.zoom;
    this.y = y - ((y - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.moved();
  }

  zoomTo(zoom) {
    const pane = this.panes[0];
    this.zoomAt(pane.clientWidth / 2, pane.clientHeight / 2, zoom / this.zoom);
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.moved();
  }

  // An edge of the image stays in sight.
  moved() {
    const pane = this.panes[0];
    const [keep, width, height] = [40, this.width * this.zoom, this.height * this.zoom];
    this.x = Math.min(Math.max(this.x, keep - width), pane.clientWidth - keep);
    this.y = Math.min(Math.max(this.y, keep - height), pane.clientHeight - keep);
    this.fitted = false;
    this.draw();
    this.zoomed(this.zoom);
  }

  toImage(event) {
    const bounds = event.currentTarget.getBoundingClientRect();
    return [(event.clientX - bounds.left - this.x) / this.zoom, (event.clientY - bounds.top - this.y) / this.zoom];
  }

  // Paints a pane with the next frame, or both.
  draw(which) {
    const waiting = this.asked.size > 0;
    for (const k of which === undefined ? [0, 1] : [which]) this.asked.add(k);
    if (waiting) return;
    requestAnimationFrame(() => {
      const asked = [...this.asked];
      this.asked.clear();
      for (const k of asked) this.paint(this.panes[k], k);
    });
  }

  paint(pane, k) {
    const context = pane.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, pane.width, pane.height);
    const scale = this.zoom * ratio;
    context.setTransform(scale, 0, 0, scale, this.x * ratio, this.y * ratio);
    context.imageSmoothingEnabled = scale < 1;
    for (const [layer, opacity] of this.layers[k]()) {
      context.globalAlpha = opacity;
      context.drawImage(layer, 0, 0);
    }
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.above[k]?.(context);
  }
}

export function sheet(width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  return canvas;
}
