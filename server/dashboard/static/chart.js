// A line chart as SVG. Every number in it stands in the page's tables too, so to assistive
// technology it is one image with a summary.

const SVG = "http://www.w3.org/2000/svg";
const NARROWEST = 280, WIDEST = 860, HEIGHT = 240, LEFT = 58, RIGHT = 12, TOP = 10, BOTTOM = 34;
const DASHES = ["", "7 4", "2 4", "9 3 2 3"];

export function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Colour and dash of a series: neighbours differ in colour, and the dash tells more apart. */
export function styleOf(index) {
  return { class: `s${index % 8}`, "stroke-dasharray": DASHES[Math.floor(index / 8) % DASHES.length] };
}

/**
 * Draw series of [x, y] points.
 * @param {Map<string, [number, number][]>} series points by name
 * @param {{label: string, last: number, format: (y: number) => string, room: number}} options
 *   room: pixels that there are. It is drawn at its own size, so that its words can be read.
 */
export function lineChart(series, { label, last, format, room }) {
  const WIDTH = Math.min(WIDEST, Math.max(NARROWEST, room));
  const points = [...series.values()].flat();
  const high = niceCeiling(Math.max(...points.map(([, y]) => y), 1e-12));
  const x = (value) => LEFT + ((WIDTH - LEFT - RIGHT) * (value - 1)) / Math.max(1, last - 1);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / high;
  const chart = shape("svg", { class: "chart", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const share of [0, 0.5, 1]) {
    const value = high * share;
    chart.append(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    chart.append(text(format(value), LEFT - 8, y(value) + 4, "end"));
  }
  const step = Math.max(1, Math.ceil(last / 10));
  for (let round = 1; round <= last; round += step) chart.append(text(String(round), x(round), HEIGHT - 14, "middle"));
  chart.append(text("round", WIDTH - RIGHT, HEIGHT, "end"));
  [...series.values()].forEach((own, index) => {
    const line = own.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    chart.append(shape("polyline", { points: line, ...styleOf(index) }));
    for (const [a, b] of own) chart.append(shape("circle", { cx: x(a).toFixed(1), cy: y(b).toFixed(1), r: 3, class: `f${index % 8}` }));
  });
  return chart;
}

function text(content, x, y, anchor) {
  const element = shape("text", { x, y, "text-anchor": anchor });
  element.textContent = content;
  return element;
}

function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value * 0.9999);
}
