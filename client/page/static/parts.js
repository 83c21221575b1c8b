// Pieces of the page. Names come from elsewhere: everything is put in as text, never as markup.

import { act } from "/asking.js";

export const $ = (id) => document.getElementById(id);

export function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function within(parent, ...children) {
  parent.append(...children);
  return parent;
}

/** A text whose `commands` are set as such. */
export function prose(text) {
  return within(element("span"), ...text.split("`").map((part, index) => (index % 2 ? element("code", part) : part)));
}

export const counted = (count, noun, plural = `${noun}s`) => `${count} ${count === 1 ? noun : plural}`;
export const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());
export const when = (time) => (time ? new Date(time).toLocaleString() : "");
/** A digest as people compare it, in groups of four. */
export const grouped = (digest) => digest.replace(/(.{4})(?=.)/g, "$1 ");

/** A table of rows [head, ...cells]; a cell is text, a number or an element. */
export function table(label, headings, rows, { numbers = [], caption = "" } = {}) {
  const made = element("table", "", { class: "stacked" });
  if (caption) made.append(element("caption", caption));
  const head = made.createTHead().insertRow();
  headings.forEach((text, index) => head.append(element("th", text, { scope: "col", ...(numbers.includes(index) ? { class: "number" } : {}) })));
  const body = made.createTBody();
  for (const [first, ...cells] of rows) {
    const row = body.insertRow();
    row.append(element("th", first, { scope: "row", class: "short" }));
    cells.forEach((content, index) => {
      const cell = element("td", "", { "data-label": headings[index + 1], ...(numbers.includes(index + 1) ? { class: "number" } : {}) });
      cell.append(content instanceof Node ? content : String(content ?? ""));
      row.append(cell);
    });
  }
  // It can scroll, so it can be reached by keyboard and says what it is.
  return within(element("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }), made);
}

export function facts(pairs) {
  const list = element("dl", "", { class: "facts" });
  for (const [heading, sentence] of pairs) list.append(element("dt", heading), element("dd", sentence));
  return list;
}

export function list(items) {
  return within(element("ul", "", { class: "hashes" }), ...items.map((one) => (one instanceof Node ? one : element("li", one))));
}

export function saying(output, text, style = "") {
  output.className = `outcome ${style}`.trim();
  output.replaceChildren(...(text instanceof Node ? [text] : text ? [element("p", text)] : []));
}

/** Keep one element for each item, whatever else has changed: what is typed in it stays. */
export function keyed(container, items, key, make, update = () => {}) {
  const known = new Map([...container.children].map((child) => [child.dataset.key, child]));
  const children = items.map((item) => {
    const child = known.get(key(item)) ?? make(item);
    child.dataset.key = key(item);
    update(child, item);
    return child;
  });
  const same = children.length === container.children.length && children.every((child, index) => child === container.children[index]);
  if (!same) container.replaceChildren(...children);
}

const rendered = new Map();
/** Draw a part anew only if what it shows has changed. */
export function whenChanged(name, value, draw) {
  const text = JSON.stringify(value);
  if (rendered.get(name) === text) return;
  rendered.set(name, text);
  draw();
}

let afterwards = () => {};
export const afterEachAction = (what) => { afterwards = what; };

/** Let a button do something: it is off while it runs; what comes of it is said beside it. */
export async function run(buttons, output, name, form, tell) {
  buttons.forEach((button) => { button.disabled = true; });
  saying(output, "At work");
  try {
    const result = await act(name, form, (text) => saying(output, text));
    saying(output, (await tell(result)) ?? "Done.");
  } catch (failure) {
    saying(output, [failure.message, failure.hint].filter(Boolean).join(" "), "bad");
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
  await afterwards();
}

/** Let a form do something with its fields, which are read by `fields`. */
export function whenSent(form, name, fields, tell) {
  const output = form.querySelector(".outcome");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = await fields(form);
    run([...form.querySelectorAll("button")], output, name, values, (result) => tell(result, values));
  });
}

export const texts = (form) => Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === "string"));

export function button(text, style, work) {
  const made = element("button", text, { type: "button", ...(style ? { class: style } : {}) });
  made.addEventListener("click", work);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
function shape(name, attributes, content = "") {
  const made = document.createElementNS(SVG, name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Epsilon over the payments, as steps below a ceiling. Its numbers stand in the table, too. */
export function budgetChart(points, ceiling, label, room) {
  const WIDTH = Math.min(640, Math.max(260, room)), HEIGHT = 170, LEFT = 46, RIGHT = 10, TOP = 14, BOTTOM = 26;
  const high = Math.max(ceiling, ...points.map(([, spent]) => spent)) * 1.08;
  const first = points[0][0], last = Math.max(points.at(-1)[0], first + 1);
  const x = (time) => LEFT + ((WIDTH - LEFT - RIGHT) * (time - first)) / (last - first);
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / high;
  const chart = shape("svg", { class: "chart", width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const value of [0, ceiling]) {
    chart.append(shape("line", { class: value ? "ceiling" : "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    chart.append(shape("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)));
  }
  let path = `M${x(first)},${y(0)}`;
  for (const [time, spent] of points) path += `H${x(time).toFixed(1)}V${y(spent).toFixed(1)}`;
  chart.append(shape("path", { class: "spent", d: `${path}H${WIDTH - RIGHT}` }));
  const day = (time) => new Date(time).toLocaleDateString();
  chart.append(shape("text", { x: LEFT, y: HEIGHT - 6 }, day(first)), shape("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, day(last)));
  return chart;
}
