// Painting without a pointer: arrow keys move the brush over the focused picture, Enter puts it down.

export class KeyboardBrush {
  constructor(painter, views, state) {
    Object.assign(this, { painter, views, state, from: null });
    views.panes[0].addEventListener("blur", () => this.leave());
  }

  get at() { return this.painter.hover ?? [this.state.mask.width / 2, this.state.mask.height / 2]; }

  // Tells whether the key was one of these.
  key(event) {
    if (document.activeElement !== this.views.panes[0]) return false;
    const step = event.shiftKey ? 10 : 1;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) this.move(moves[event.key]);
    else if (event.key === "Enter") this.put();
    else return false;
    this.views.draw();
    return true;
  }

  move([dx, dy]) {
    const { width, height } = this.state.mask;
    const [x, y] = this.at;
    this.painter.hover = [Math.min(Math.max(Math.floor(x) + 0.5 + dx, 0.5), width - 0.5), Math.min(Math.max(Math.floor(y) + 0.5 + dy, 0.5), height - 0.5)];
  }

  // A dot of brush or eraser; a line from the last place; a corner, and the first corner again closes the polygon.
  put() {
    const { mask, tool, size, stamp } = this.state;
    const [at, painter] = [this.at, this.painter];
    if (tool === "brush" || tool === "eraser") mask.stroke(...at, ...at, size, painter.value);
    else if (tool === "line" && this.from) mask.stroke(...this.from, ...at, size, painter.value);
    else if (tool === "stamp" && stamp) {
      mask.stamp(stamp.bytes, stamp.width, stamp.height, Math.round(at[0] - stamp.width / 2), Math.round(at[1] - stamp.height / 2), painter.value);
    } else if (tool === "polygon") {
      const last = painter.corners[painter.corners.length - 1];
      if (last && last[0] === at[0] && last[1] === at[1]) painter.closePolygon();
      else painter.corner(at);
      return;
    }
    this.from = tool === "line" && !this.from ? at : null;
    painter.end();
  }

  leave() {
    this.from = null;
    this.painter.hover = null;
    this.views.draw();
  }
}
