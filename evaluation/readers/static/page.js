// One image at a time; an answer counts when the server has it on disk.
const element = (id) => document.getElementById(id);
const state = { reader: "", items: [], at: 0, shown: 0, busy: false, hounsfield: null };
// Level and width in Hounsfield units. The first shows an image as the generator sees it.
const WINDOWS = [
  ["As it is", null], ["Brain", [40, 80]], ["Soft tissue", [40, 400]], ["Lung", [-600, 1500]], ["Bone", [400, 1800]],
];

function problem(text) {
  element("problem").textContent = text;
  element("problem").hidden = !text;
}

async function ask(path, options) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Error("The study's server does not answer. Start it again, then repeat.");
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(typeof told.detail === "string" ? told.detail : `The server refused (${answer.status}).`);
  }
  return answer;
}

async function begin(reader) {
  const reading = await (await ask(`/reading.json?reader=${encodeURIComponent(reader)}`)).json();
  Object.assign(state, { reader, items: reading.items, hounsfield: reading.hounsfield });
  element("name").textContent = reading.study;
  element("ratings").replaceChildren(...reading.ratings.map((words, index) => {
    const button = document.createElement("button");
    button.type = "button";
    const key = document.createElement("kbd");
    key.textContent = index + 1;
    key.setAttribute("aria-hidden", "true");
    button.append(words, " ", key);
    button.setAttribute("aria-keyshortcuts", String(index + 1));
    button.addEventListener("click", () => rate(index + 1));
    return button;
  }));
  const open = state.items.findIndex((one) => one.rating === null);
  show(open < 0 ? state.items.length : open);
}

function show(at) {
  state.at = at;
  const total = state.items.length;
  const over = at >= total;
  element("start").hidden = true;
  element("reading").hidden = over;
  element("end").hidden = !over;
  element("bar").max = total;
  element("bar").value = state.items.filter((one) => one.rating !== null).length;
  if (over) {
    element("status").textContent = `All ${total} images judged`;
    element("end").focus();
    return;
  }
  const here = state.items[at];
  const image = element("image");
  image.alt = `Image ${at + 1} of ${total}, to be judged by eye`;
  image.onload = () => { state.shown = performance.now(); };
  image.onerror = () => problem("The image cannot be shown. Reload the page; answers given are kept.");
  image.src = `/images/${here.item}.png`;
  element("window").hidden = !here.ct;
  shade();
  state.shown = performance.now();
  element("status").textContent = `Image ${at + 1} of ${total}`;
  element("back").disabled = at === 0;
  [...element("ratings").children].forEach((button, index) =>
    button.setAttribute("aria-pressed", String(here.rating === index + 1)));
}

/** Hounsfield units of a grey level in [0, 1]. */
function units(grey) {
  const { grey: levels, units: values } = state.hounsfield;
  const next = Math.max(1, levels.findIndex((level) => level >= grey));
  const share = (grey - levels[next - 1]) / (levels[next] - levels[next - 1]);
  return values[next - 1] + share * (values[next] - values[next - 1]);
}

/** Show CT in the chosen window; the image's own pixels stay as they are. */
function shade() {
  const chosen = element("preset").value !== "0", image = element("image");
  for (const name of ["level", "width"]) {
    element(name).disabled = !chosen;
    element(`${name}-now`).textContent = chosen ? `${element(name).value} HU` : "";
  }
  image.style.filter = "none";
  if (!chosen || !state.items[state.at]?.ct) return;
  const level = Number(element("level").value), width = Number(element("width").value);
  const table = Array.from({ length: 256 }, (_, index) =>
    Math.min(1, Math.max(0, (units(index / 255) - level) / width + 0.5)).toFixed(4)).join(" ");
  for (const part of document.querySelectorAll("#shades feComponentTransfer > *")) part.setAttribute("tableValues", table);
  image.style.filter = "url(#shades)";
}

async function rate(rating) {
  if (state.busy || element("reading").hidden) return;
  state.busy = true;
  const here = state.items[state.at];
  const seconds = (performance.now() - state.shown) / 1000;
  try {
    await ask("/answers", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ reader: state.reader, item: here.item, rating, seconds }),
    });
    here.rating = rating;
    problem("");
    show(state.at + 1);
  } catch (error) {
    problem(`This answer is not kept. ${error.message}`);
  } finally {
    state.busy = false;
  }
}

function back() {
  if (!state.busy && state.items.length && state.at > 0) show(state.at - 1);
}

element("start").addEventListener("submit", (event) => {
  event.preventDefault();
  problem("");
  begin(element("reader").value.trim()).catch((error) => problem(error.message));
});
element("back").addEventListener("click", back);
element("again").addEventListener("click", back);
document.addEventListener("keydown", (event) => {
  if (!element("start").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[1-9]$/.test(event.key) && Number(event.key) <= element("ratings").children.length) {
    event.preventDefault();
    rate(Number(event.key));
  } else if (event.key === "Backspace") {
    event.preventDefault();
    back();
  }
});
element("preset").append(...WINDOWS.map(([name], index) => new Option(name, String(index))));
element("preset").addEventListener("change", () => {
  const [level, width] = WINDOWS[Number(element("preset").value)][1] ?? [];
  if (level !== undefined) Object.assign(element("level"), { value: level }), Object.assign(element("width"), { value: width });
  shade();
});
for (const name of ["level", "width"]) element(name).addEventListener("input", shade);
element("reader").focus();
