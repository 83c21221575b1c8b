// Data sets: what is in them, what their patients have spent, who opted out.

import { $, budgetChart, button, counted, element, keyed, list, number, run, saying, table, texts, when, whenChanged, whenSent, within } from "/parts.js";

const KINDS = { folder: "a folder", dicomweb: "a mirror of a DICOMweb service", cstore: "received by C-STORE" };

export function showData({ data, overview }) {
  $("no-data").hidden = data.length > 0;
  const spending = new Map((overview.data_sets ?? []).map((one) => [one.name, one]));
  keyed($("data-sets"), data, (one) => one.entry.name, (one) => dataSet(one.entry.name), (card, one) => {
    const view = spending.get(one.entry.name) ?? {};
    whenChanged(`data ${one.entry.name}`, [one.entry, view, one.budget.ceiling], () => describe(card, one, view));
  });
  keyed($("ledgers"), data, (one) => one.entry.name, () => element("div"), (part, one) =>
    whenChanged(`ledger ${one.entry.name}`, one, () => part.replaceChildren(...ledger(one, $("ledgers").clientWidth))));
}

function describe(card, { entry, budget: { ceiling } }, view) {
  const [about] = card.getElementsByClassName("about");
  const labels = entry.labels ? `; labels from ${entry.labels}` : "";
  const lines = [element("p", `${entry.folder}, ${KINDS[entry.kind]}${entry.url ? ` (${entry.url})` : ""}${labels}.`, { class: "soft" })];
  if (entry.retired) lines.push(element("p", "Retired: no study may use it any more. Its ledger stays.", { class: "warn-text" }));
  if (view.problem) lines.push(element("p", `It pays for nothing: ${view.problem}`, { class: "bad-text" }));
  else if (ceiling !== undefined) {
    // Without a ledger nothing is spent yet.
    const spent = view.delta === null ? 0 : view.epsilon, alone = view.collusion_epsilon;
    const label = `Epsilon ${number(spent)} of ${number(ceiling)} spent${alone === null || alone === undefined ? "" : `, ${number(alone)} if all other sites worked together`}`;
    lines.push(element("p", `${label}.`), element("meter", label, { min: 0, max: ceiling, high: 0.9 * ceiling, value: spent ?? ceiling, "aria-label": `${label} by ${entry.name}` }));
  }
  about.replaceChildren(...lines);
  card.querySelectorAll(".use").forEach((part) => { part.hidden = entry.retired; });
}

function dataSet(name) {
  const card = element("article", "", { class: "one", "aria-label": `Data set ${name}` });
  const output = element("div", "", { class: "outcome", role: "status" }), shown = element("div");
  const look = button("Look into it", "main", () => run([look], output, "look", { data: name }, (contents) => {
    shown.replaceChildren(...looked(name, contents));
    shown.querySelector("h4").focus();
    return `${counted(contents.summary.patients, "patient")} found.`;
  }));
  look.setAttribute("aria-label", `Look into ${name}`);
  const renew = button("Refresh", "", () => run([renew], output, "refresh", { data: name }, refreshed));
  renew.setAttribute("aria-label", `Refresh ${name}`);
  card.append(
    element("h3", name), element("div", "", { class: "about" }),
    within(element("div", "", { class: "line use" }), look, renew), output, shown,
    labelsForm(name), moveForm(name), retireForm(name),
  );
  return card;
}

function looked(name, { summary, sentences }) {
  const total = `${counted(summary.patients, "patient")}, ${counted(summary.studies, "study", "studies")}, ${summary.series} series, ${counted(summary.slices, "slice")} by their headers.`;
  const asideRows = Object.entries(summary.set_aside);
  const words = element("div", "", { class: "words" });
  for (const [kind, rows] of Object.entries(summary.words)) {
    words.append(table(`Words of ${name}: ${kind}`, ["Word", "Patients", "Slices"], Object.entries(rows).map(([word, [patients, slices]]) => [word, patients, slices]), { numbers: [1, 2], caption: kind }));
  }
  return [
    element("h4", `What is in ${name}`, { tabindex: "-1" }), element("p", total), ...sentences.map((text) => element("p", text)),
    element("h4", "Set aside, and why"),
    asideRows.length ? table(`Set aside in ${name}`, ["Because", "Files"], asideRows, { numbers: [1] }) : element("p", "No file is set aside."),
    element("h4", "Words that it would teach"),
    words.children.length ? words : element("p", "None."),
  ];
}

function refreshed({ mirror, patients, files }) {
  const fetched = mirror ? `${counted(mirror.instances, "instance")}: ${mirror.fetched} new or changed, ${mirror.removed} removed, ${mirror.failed} could not be fetched. ` : "It is a folder: there is nothing to fetch. ";
  return fetched + (patients ? `Removed of ${counted(patients, "patient")} who left: ${counted(files, "file")}.` : "Nothing is kept of patients who are not there any more.");
}

function small(summary, action, name, fields, tell, text, style = "") {
  const form = within(element("form", "", { class: "fields" }), ...fields, element("button", text, { type: "submit", ...(style ? { class: style } : {}) }), element("div", "", { class: "outcome", role: "status" }));
  whenSent(form, action, (own) => ({ data: name, ...texts(own) }), tell);
  return within(element("details", "", { class: "use" }), element("summary", summary), form);
}

const field = (label, name, attributes = {}) => within(element("label", `${label} `), element("input", "", { name, autocomplete: "off", spellcheck: "false", ...attributes }));
const tick = (label) => { const box = element("label", "", { class: "tick" }); box.append(element("input", "", { type: "checkbox", required: "" }), label); return box; };

function labelsForm(name) {
  return small("Table of labels", "labels", name,
    [field("Another table (CSV); empty: say how its own one fits", "table")],
    ({ labels }) => (labels.length ? list(labels) : "It has no table."), "Look, or change it");
}

function moveForm(name) {
  return small("Its scans lie elsewhere now", "move-data", name, [field("Folder", "folder", { required: "" })],
    ({ folder }) => `It is read from ${folder}.`, "Move it");
}

function retireForm(name) {
  return small("Retire it", "retire-data", name, [element("p", "Approvals for it are taken back. Its ledger and its name stay taken.", { class: "soft" }), tick("Use it in no study any more, for good")],
    ({ withdrawn }) => `Retired; ${counted(withdrawn.length, "approval")} taken back.`, "Retire it", "no");
}

/** Kinds of a ledger's lines in words that need no explanation. */
const LINES = { genesis: "ledger begun", reserve: "paid for", refuse: "refused" };

const told = ({ kind, purpose }) => [LINES[kind] ?? kind, purpose].filter(Boolean).join(": ");

function ledger({ entry, budget: { ceiling, delta, rows, problem } }, room) {
  const head = element("h3", entry.name);
  if (problem && !rows?.length) return [head, element("p", problem, { class: "bad-text" })];
  const spent = rows.filter((row) => row.epsilon !== null).map((row) => [Date.parse(row.time), row.epsilon]);
  if (!rows.length) return [head, element("p", `Nothing was spent of epsilon ${number(ceiling)} at delta ${delta}.`)];
  const label = spent.length ? `Epsilon of ${entry.name} over time: ${number(spent.at(-1)[1])} of ${number(ceiling)} at delta ${delta}, after ${counted(spent.length, "payment")}.` : `Nothing was spent of epsilon ${number(ceiling)}.`;
  return [
    head, element("p", label), ...(problem ? [element("p", problem, { class: "bad-text" })] : []), ...(spent.length ? [budgetChart(spent, ceiling, label, room)] : []),
    table(`Ledger of ${entry.name}`, ["Time", "What", "Mechanism", "Epsilon so far", "State"],
      rows.toReversed().map((row) => [when(row.time), told(row), row.mechanism, row.epsilon === null ? "" : row.epsilon.toFixed(3), row.state]), { numbers: [3] }),
  ];
}

export function showOptOuts(optOuts) {
  if (optOuts.problem) return saying($("opt-out-count"), `${optOuts.problem} ${optOuts.hint}`, "bad");
  $("opt-out-count").textContent = `${counted(optOuts.total, "patient")} opted out in all.`;
  const rows = Object.entries(optOuts.added).map(([time, count]) => [when(time), count]);
  $("opt-out-times").replaceChildren(...(rows.length ? [table("When patients opted out", ["When", "Patients"], rows, { numbers: [1] })] : []));
}

const left = ({ patients, files, scans }) => {
  const lines = files.length ? [element("p", `Left of ${counted(patients, "patient")}: ${counted(files.length, "file")}.`, { class: "bad-text" }), list(files)] : [element("p", `Nothing is left here of ${counted(patients, "patient")} who opted out.`, { class: "good-text" })];
  for (const [name, count] of Object.entries(scans)) if (count) lines.push(element("p", `${name}: ${count} of their files are in the hospital's folder, unread.`));
  return within(element("div"), ...lines);
};
const optOut = $("opt-out"), optOutput = optOut.querySelector(".outcome");
const check = (identifiers) => run([$("check-some"), $("check-all")], optOutput, "check-opt-outs", { identifiers }, left);
whenSent(optOut, "opt-out", texts, ({ result, cannot }) => {
  optOut.querySelector("input[type=checkbox]").checked = false;
  return within(element("div"), element("p", `New on the list: ${counted(result.new_patients, "patient")}; on it already: ${result.already}. Removed of what was kept of them: ${counted(result.removed_files, "file")}.`), element("p", cannot));
});
$("check-some").addEventListener("click", () => (optOut.elements.identifiers.value.trim() ? check(optOut.elements.identifiers.value) : saying(optOutput, "Name somebody first.", "bad")));
$("check-all").addEventListener("click", () => check(""));
whenSent($("add-data"), "add-data", texts, ({ data, mirror, labels, shared }) => {
  const lines = [`The data set ${data} is added.`, ...(mirror ? [`${counted(mirror.instances, "instance")} of ${counted(mirror.studies, "study", "studies")} fetched.`] : []), ...labels];
  for (const [other, count] of Object.entries(shared)) lines.push(`Warning: ${count} of its patients are in the data set ${other}, too. Each ledger knows only half of what they spend: keep them in one data set, and retire the other before a study begins.`);
  $("add-data").reset();
  return list(lines);
});
whenSent($("charge"), "charge", (form) => ({ ...texts(form), steps: Number(form.elements.steps.value), sample_rate: Number(form.elements.sample_rate.value), noise: Number(form.elements.noise.value) }),
  ({ epsilon }) => `Entered. In all epsilon ${number(epsilon)} is spent.`);
