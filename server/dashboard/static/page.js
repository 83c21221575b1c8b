// Shows the study's state, asked for anew every two seconds. Names of sites come from elsewhere:
// everything is put into the page as text, never as markup.

import { lineChart, shape, styleOf } from "/chart.js";
import { bytes, cosine, counted, FEW, number, seconds, sentence, share, small } from "/words.js";

const PAUSE_MS = 2000;
// Up to FEW sites are all shown alike; of more, APART that need a look come first.
const APART = 5;
const $ = (id) => document.getElementById(id);
let tag = "", state = null, fresh = Date.now(), unfolded = false;

function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const clock = (time) => new Date(time * 1000).toLocaleTimeString();

function meaning(code) {
  return code === "ok" ? "answered" : `${code}: ${state.meanings[code] ?? "unknown code"}`;
}

/** What a study promises whose sites add their noise together. */
function together(joint) {
  if (!joint) return "";
  const others = joint.colluding === 1 ? "1 other site" : `${joint.colluding} other sites`;
  return ` against the coordinator with ${others}, and ${number(joint.epsilon)} if all other sites worked together ` +
    `(sums of ${joint.sites} sites at least)`;
}

function showHead() {
  const { study, status } = state;
  document.title = `${status.done}/${study.rounds} ${study.name} – fedscan`;
  $("name").textContent = study.name;
  const privacy = study.private
    ? `at most epsilon ${number(study.epsilon)} at delta ${small(study.delta)} for each data set${together(study.joint)}`
    : "NOT private: for comparison only";
  $("terms").textContent =
    `Trains ${study.subset}, ${privacy}, ${study.strategy}, updates as ${study.form}, ` +
    `${study.needed} usable results needed in a round.`;
  $("chosen").textContent = study.reason ? `What trains was chosen from public facts: ${study.reason}` : "";
  $("chosen").hidden = !study.reason;
  $("bar").max = study.rounds;
  $("bar").value = status.done;
  $("done").textContent = `${status.done} of ${study.rounds}`;
  const words = {
    waiting: "Waiting for sites", "warming up": "Warming up", finished: "Finished: the generator is saved",
    training: `Training round ${Math.min(status.done + 1, study.rounds)} of ${study.rounds}`,
    awaiting: `Waiting for ${status.reason}`, stopped: `Stopped: ${status.reason}`,
    interrupted: "Interrupted: no server works on it now. A running coordinator starts one within seconds",
  };
  const text = words[status.state];
  // Only a change is announced by a screen reader.
  if ($("status").textContent !== text) $("status").textContent = text;
  $("when").textContent = status.since ? `Last event: ${new Date(status.since * 1000).toLocaleString()}` : "";
  $("status").className = `status ${{ stopped: "bad", interrupted: "bad", finished: "good" }[status.state] ?? ""}`;
}

function showTiles() {
  const { rounds, sites } = state, last = rounds.at(-1);
  const total = (key) => rounds.reduce((sum, one) => sum + one[key], 0);
  const measured = rounds.findLast((one) => one.loss !== null), loss = measured?.loss;
  const tiles = [
    ["Sites known", sites.length],
    ["Usable results, last round", last ? `${last.results} of ${Object.keys(last.codes).length}` : "–"],
    ["Model's last step", last ? number(last.step) : "–"],
    ...(loss === undefined ? [] : [["Loss on public images", number(loss) + (measured.worse ? ", worse than before" : "")]]),
    ["Seconds, last round", last ? seconds(last.seconds) : "–"],
    ["Bytes, last round", last ? bytes(last.sent + last.received) : "–"],
    ["Bytes so far", bytes(total("sent") + total("received"))],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, value]) => {
    const tile = element("div", "", { class: "tile" });
    tile.append(element("dt", name), element("dd", value));
    return tile;
  }));
}

/** A row of a table: its head, then [text, class, second line] for each other column. */
function row(table, head, cells, headClass = "") {
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const made = element("tr");
  made.append(element("th", head, { scope: "row", class: headClass, ...(headClass ? {} : { "data-label": labels[0] }) }));
  cells.forEach(([content, style = "", second = ""], index) => {
    const cell = element("td", "", { "data-label": labels[index + 1], ...(style ? { class: style } : {}) });
    const value = element("span", content);
    if (second) value.append(element("span", second, { class: "second" }));
    cell.append(value);
    made.append(cell);
  });
  return made;
}

const middleOf = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Many sites with those first that gave no result, then those furthest from the middle norm. */
function inOrder(sites) {
  const middle = middleOf(sites.map((site) => site.norm).filter((norm) => norm !== null));
  const apart = (site) => (site.norm === null ? 0 : Math.abs(site.norm - middle));
  return [...sites].sort((a, b) => (a.code === "ok") - (b.code === "ok") || apart(b) - apart(a));
}

/** The sites that the table shows, and a line on the others with a button that unfolds them. */
function folded(sites) {
  const failed = sites.filter((site) => site.code !== "ok").length, shown = Math.max(APART, Math.min(failed, FEW));
  $("more").hidden = sites.length <= FEW;
  if (sites.length <= FEW) return sites;
  const norms = sites.map((site) => site.norm).filter((norm) => norm !== null);
  $("more-sites").textContent = `${sites.length} sites: ${sites.length - failed} answered last, ${failed} did not. ` +
    (norms.length ? `Update norms ${number(Math.min(...norms))} to ${number(Math.max(...norms))}, middle ${number(middleOf(norms))}. ` : "") +
    "Those that gave no result or stand apart come first.";
  $("unfold").textContent = unfolded ? "Show fewer" : `Show the other ${sites.length - shown}`;
  $("unfold").setAttribute("aria-expanded", String(unfolded));
  return unfolded ? inOrder(sites) : inOrder(sites).slice(0, shown);
}

function showSites() {
  const { study, sites } = state;
  $("sites").tBodies[0].replaceChildren(...folded(sites).map((site) => row($("sites"), site.name, [
    [meaning(site.code), site.code === "ok" ? "left wrap" : "left wrap bad-text"],
    [site.round], [`${site.answered} of ${site.asked}`], [number(site.norm)], [cosine(site.cosine), "", site.noise === null ? "" : ` noise ${cosine(site.noise)}`],
    [seconds(site.seconds)], [bytes(site.sent)], [bytes(site.received)],
    [!study.private ? "no privacy" : site.epsilon === null ? "…" : `ε ${site.epsilon.toFixed(2)} of ${number(study.epsilon)}`, "",
      site.epsilon === null || !study.joint ? "" : ` ${site.collusion_epsilon.toFixed(2)} of ${number(study.joint.epsilon)} if all others collude`],
  ], "left")));
  $("agreement-note").textContent =
    "Agreement is the cosine between a site's update and the step that the model took. Updates of n sites that were nothing " +
    "but noise would each agree by 1/√n, because each is a part of their mean: that is the value after “noise”. An " +
    "agreement near it says that noise covers what the site found; well above it, that the sites pull the same way.";
  $("privacy-note").textContent = study.private
    ? "This study's part, as its terms imply it: for the rounds that a site was asked, unless it refused " +
      "before it paid. A site may add more noise and spend less. What other studies spent, only its own ledger tells."
    : "This study trains without privacy.";
}

/** Sites with their codes: a few by name, of more their number. */
function named(refused) {
  const more = refused.length - APART, few = refused.slice(0, APART).map(([site, code]) => `${site}: ${code}`).join(", ");
  return more > 0 ? `${few}, and ${more} more` : few;
}

/** Update norms of each site; of many the highest, middle and lowest, and of those that stand apart. */
function normSeries() {
  const { sites, rounds } = state;
  const all = (one) => Object.values(one.norms).filter((norm) => norm !== null);
  const own = (name) => rounds.filter((one) => (one.norms[name] ?? null) !== null).map((one) => [one.round, one.norms[name]]);
  if (sites.length <= FEW) return new Map(sites.map((site) => [site.name, own(site.name)]));
  const of = (choose) => rounds.filter((one) => all(one).length).map((one) => [one.round, choose(all(one))]);
  return new Map([
    ["highest of all", of((norms) => Math.max(...norms))], ["middle", of(middleOf)], ["lowest of all", of((norms) => Math.min(...norms))],
    ...inOrder(sites).slice(0, APART).map((site) => [site.name, own(site.name)]),
  ]);
}

function showRounds() {
  $("rounds").tBodies[0].replaceChildren(...[...state.rounds].reverse().map((one) => {
    const refused = Object.entries(one.codes).filter(([, code]) => code !== "ok");
    return row($("rounds"), one.round, [
      [one.results], [named(refused) || "none", refused.length ? "left wrap bad-text" : "left"],
      [number(one.step)],
      [share(one.movement), one.far ? "bad-text" : "", one.far ? "more than 1 % a step" : ""],
      [number(one.loss), one.worse ? "bad-text" : "", one.worse ? "worse than before" : ""], [seconds(one.seconds)], [bytes(one.sent)], [bytes(one.received)],
    ]);
  }));
}

const percent = (share) => (share ? `${Math.round(100 * share.value)} % [${Math.round(100 * share.low)}, ${Math.round(100 * share.high)}]` : "cannot be told");

function showScores() {
  const { scores } = state, last = scores.find((one) => one.is_last), best = scores.find((one) => one.is_best);
  $("scores-part").hidden = scores.length === 0;
  $("scores").tBodies[0].replaceChildren(...[...scores].reverse().map((one) => row($("scores"), one.round, [
    [[one.is_best && "best", one.is_last && "last"].filter(Boolean).join(" and ") || "–", "left"],
    [percent(one.better)], [`${one.finding}: ${percent(one.right)}`], [one.sites.join(", "), "left wrap"],
  ])));
  $("scores-note").textContent = !best ? "The noise covers these numbers: nothing can be told from them yet."
    : best === last ? "The last one is the best so far."
    : best.apart ? `Round ${best.round} is better than the last one, round ${last.round}, by more than chance and noise.`
    : `Round ${best.round} looks better than the last one, round ${last.round}, but they cannot be told apart.`;
}

function showNorms() {
  const series = normSeries();
  $("legend").replaceChildren(...[...series.keys()].map((name, index) => {
    const entry = element("li"), mark = shape("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" });
    mark.append(shape("line", { x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 3, ...styleOf(index) }));
    entry.append(mark, name);
    return entry;
  }));
  const last = state.rounds.at(-1);
  if (!last) return $("norms").replaceChildren(element("p", "No round is finished yet.", { class: "soft" }));
  const said = [...series].map(([name, points]) => [name, points.at(-1)]).filter(([, point]) => point?.[0] === last.round)
    .map(([name, point]) => `${name} ${number(point[1])}`).join(", ");
  const label = `Update norms over ${counted(state.rounds.length, "round")}; in round ${last.round}: ${said || "none"}.`;
  $("norms").replaceChildren(lineChart(series, { label, last: Math.max(2, last.round), format: number, room: $("norms").clientWidth }));
}

function showImages() {
  const { previews, prompts } = state, pick = $("pick");
  $("no-images").hidden = previews.length > 0;
  $("images").hidden = previews.length === 0;
  if (!previews.length) return;
  pick.max = previews.length - 1;
  if ($("follow").checked) pick.value = previews.length - 1;
  const round = previews[Math.min(Number(pick.value), previews.length - 1)];
  $("picked").textContent = round;
  pick.setAttribute("aria-valuetext", `round ${round}`);
  const address = `/previews/${round}.png`;
  if ($("image").getAttribute("src") !== address) $("image").src = address;
  $("image").alt = `Synthetic images after round ${round}, from top to bottom: ${prompts.join("; ")}`;
}

function showEvents() {
  $("events").replaceChildren(...[...state.events].reverse().map((event) => {
    const entry = element("li"), time = element("time", clock(event.time));
    time.dateTime = new Date(event.time * 1000).toISOString();
    entry.append(time, element("span", sentence(event, meaning)));
    return entry;
  }));
}

function show() {
  for (const part of [showHead, showTiles, showSites, showImages, showNorms, showRounds, showScores, showEvents]) part();
}

async function refresh() {
  try {
    const response = await fetch("/state.json", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (response.status !== 304) {
      const content = await response.json();
      if (!response.ok) throw new Error(content.detail);
      tag = response.headers.get("ETag") ?? "";
      state = content;
      show();
    }
    fresh = Date.now();
    $("offline").hidden = true;
  } catch (failure) {
    const why = failure instanceof TypeError ? "The dashboard's server does not answer" : failure.message;
    $("offline").textContent = `${why}. What you see is of ${new Date(fresh).toLocaleTimeString()}.`;
    $("offline").hidden = false;
  }
  setTimeout(refresh, PAUSE_MS);
}

$("unfold").addEventListener("click", () => { unfolded = !unfolded; showSites(); });
$("pick").addEventListener("input", () => {
  $("follow").checked = Number($("pick").value) === state.previews.length - 1;
  showImages();
});
addEventListener("resize", () => state && showNorms());
$("follow").addEventListener("change", () => state && showImages());
refresh();
