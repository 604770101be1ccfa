// Curves as SVG: one chart for each loss or measurement.

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [320, 150, 44, 22, 8];

function s(tag, attributes, text) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export function chart(name, points) {
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img" });
  const last = points[points.length - 1];
  svg.setAttribute("aria-label", `${name}: ${short(last[1])} after ${short(last[0])} samples`);
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1]).filter(Number.isFinite)];
  const ends = bounds(ys);
  const [first, final] = [Math.min(0, ...xs), Math.max(...xs, 1)];
  const x = (value) => LEFT + ((WIDTH - LEFT - 6) * (value - first)) / (final - first || 1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - ends[0]) / (ends[1] - ends[0] || 1));
  for (const value of ticks(...ends)) {
    svg.append(s("line", { x1: LEFT, x2: WIDTH - 6, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  svg.append(s("text", { x: LEFT, y: HEIGHT - 5 }, short(first)));
  svg.append(s("text", { x: WIDTH - 6, y: HEIGHT - 5, "text-anchor": "end" }, `${short(final)} samples`));
  const path = points.filter((point) => Number.isFinite(point[1])).map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`);
  svg.append(s("path", { d: path.join(""), class: "curve" }));
  if (points.length === 1) svg.append(s("circle", { cx: x(last[0]), cy: y(last[1]), r: 3, class: "dot" }));
  return svg;
}

// The middle 98 % of the values: one peak at the start flattens nothing.
function bounds(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [low, high] = sorted.length > 50 ? [at(0.01), at(0.99)] : [at(0), at(1)];
  const spread = high - low || Math.abs(high) || 1;
  return [low - 0.05 * spread, high + 0.05 * spread];
}

function ticks(low, high) {
  const rough = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  return found;
}

export function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toFixed(2)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toFixed(1)}k`;
  return String(+value.toPrecision(3));
}
