// The painted mask: one byte a pixel, 0 or 1 + the number of its class; what was done can be undone.

const MOST_STEPS = 200;

export class PaintedMask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
    this.settled = new Uint8Array(width * height); // as it was when the last step ended
    this.done = [];
    this.undone = [];
    this.dirty = null;
    this.changed = () => {}; // called with the box that has to be shown anew
  }

  touch(left, top, right, bottom) {
    const box = [Math.max(left, 0), Math.max(top, 0), Math.min(right, this.width), Math.min(bottom, this.height)];
    if (box[2] <= box[0] || box[3] <= box[1]) return null;
    const old = this.dirty;
    this.dirty = old
      ? [Math.min(old[0], box[0]), Math.min(old[1], box[1]), Math.max(old[2], box[2]), Math.max(old[3], box[3])]
      : box;
    return box;
  }

  // A thick line with round ends, in pixel units; a dot where both ends are the same.
  stroke(x0, y0, x1, y1, size, value) {
    const reach = Math.max(size / 2, 0.71); // a pixel at least, wherever between centres the pointer is
    const box = this.touch(
      Math.floor(Math.min(x0, x1) - reach), Math.floor(Math.min(y0, y1) - reach),
      Math.ceil(Math.max(x0, x1) + reach) + 1, Math.ceil(Math.max(y0, y1) + reach) + 1,
    );
    if (!box) return;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length = dx * dx + dy * dy;
    for (let y = box[1]; y < box[3]; y++) {
      for (let x = box[0]; x < box[2]; x++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const t = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
        const [qx, qy] = [px - t * dx, py - t * dy];
        if (qx * qx + qy * qy <= reach * reach) this.data[y * this.width + x] = value;
      }
    }
    this.changed(box);
  }

  // A polygon by the even-odd rule at pixel centres.
  polygon(points, value) {
    const ys = points.map((point) => point[1]);
    const xs = points.map((point) => point[0]);
    const box = this.touch(
      Math.floor(Math.min(...xs)), Math.floor(Math.min(...ys)), Math.ceil(Math.max(...xs)) + 1, Math.ceil(Math.max(...ys)) + 1,
    );
    if (!box) return;
    for (let y = box[1]; y < box[3]; y++) {
      const at = y + 0.5;
      const crossings = [];
      points.forEach(([x0, y0], k) => {
        const [x1, y1] = points[(k + 1) % points.length];
        if (y0 <= at !== y1 <= at) crossings.push(x0 + ((at - y0) / (y1 - y0)) * (x1 - x0));
      });
      crossings.sort((a, b) => a - b);
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        const from = Math.max(Math.ceil(crossings[k] - 0.5), box[0]);
        const to = Math.min(Math.ceil(crossings[k + 1] - 0.5), box[2]);
        if (to > from) this.data.fill(value, y * this.width + from, y * this.width + to);
      }
    }
    this.changed(box);
  }

  // A small mask (bytes, not 0: in it) put at a place.
  stamp(small, width, height, left, top, value) {
    const box = this.touch(left, top, left + width, top + height);
    if (!box) return;
    for (let y = box[1]; y < box[3]; y++) {
      for (let x = box[0]; x < box[2]; x++) {
        if (small[(y - top) * width + x - left]) this.data[y * this.width + x] = value;
      }
    }
    this.changed(box);
  }

  replace(data) {
    this.touch(0, 0, this.width, this.height);
    this.data.set(data);
    this.changed([0, 0, this.width, this.height]);
  }

  // Ends a step; tells whether it changed anything.
  settle() {
    const box = this.dirty;
    this.dirty = null;
    if (!box) return false;
    const [before, after] = [cut(this.settled, this.width, box), cut(this.data, this.width, box)];
    if (before.every((value, k) => value === after[k])) return false;
    put(this.settled, this.width, box, after);
    this.done.push({ box, before, after });
    if (this.done.length > MOST_STEPS) this.done.shift();
    this.undone = [];
    return true;
  }

  // Takes back what the step that is under way has done.
  abandon() {
    const box = this.dirty;
    this.dirty = null;
    if (!box) return;
    put(this.data, this.width, box, cut(this.settled, this.width, box));
    this.changed(box);
  }

  undo() { return this.turn(this.done, this.undone, "before"); }

  redo() { return this.turn(this.undone, this.done, "after"); }

  turn(from, to, which) {
    this.abandon();
    const step = from.pop();
    if (!step) return false;
    for (const target of [this.data, this.settled]) put(target, this.width, step.box, step[which]);
    to.push(step);
    this.changed(step.box);
    return true;
  }

  get empty() { return !this.data.some(Boolean); }

  // What goes to the studio: for each class that is painted its box and, in the same order, its packed bits.
  layers(classes) {
    const boxes = new Map();
    for (let y = 0, k = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++, k++) {
        const value = this.data[k];
        if (!value) continue;
        const box = boxes.get(value);
        if (!box) boxes.set(value, [x, y, x, y]);
        else {
          if (x < box[0]) box[0] = x;
          else if (x > box[2]) box[2] = x;
          box[3] = y;
        }
      }
    }
    const found = [...boxes].sort((a, b) => a[0] - b[0]);
    return {
      layers: found.map(([value, [left, top, right, bottom]]) => ({
        class: classes[value - 1].name,
        contrast: classes[value - 1].chosen,
        box: [left, top, right - left + 1, bottom - top + 1],
      })),
      bits: found.map(([value, box]) => this.pack(value, box)),
    };
  }

  pack(value, [left, top, right, bottom]) {
    const width = right - left + 1;
    const bits = new Uint8Array(Math.ceil((width * (bottom - top + 1)) / 8));
    for (let y = top, k = 0; y <= bottom; y++) {
      for (let x = left; x <= right; x++, k++) {
        if (this.data[y * this.width + x] === value) bits[k >> 3] |= 128 >> (k & 7);
      }
    }
    return bits;
  }
}

export function unpack(bits, length) {
  const out = new Uint8Array(length);
  for (let k = 0; k < length; k++) out[k] = (bits[k >> 3] >> (7 - (k & 7))) & 1;
  return out;
}

function cut(data, stride, [left, top, right, bottom]) {
  const width = right - left;
  const out = new Uint8Array(width * (bottom - top));
  for (let y = top; y < bottom; y++) out.set(data.subarray(y * stride + left, y * stride + right), (y - top) * width);
  return out;
}

function put(data, stride, [left, top, right, bottom], values) {
  const width = right - left;
  for (let y = top; y < bottom; y++) data.set(values.subarray((y - top) * width, (y - top + 1) * width), y * stride + left);
}
