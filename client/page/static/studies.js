// Studies: those that wait, in plain words; those that are approved or declined.

import { $, button, counted, element, facts, grouped, keyed, run, saying, table, texts, when, whenChanged, whenSent, within } from "/parts.js";

let names = [];

/** Data sets that a study may be approved for. */
export function usableData(data) {
  names = data.filter((one) => !one.entry.retired).map((one) => one.entry.name);
  for (const select of document.querySelectorAll("select.data-names")) {
    const own = [...select.options].map((option) => option.value);
    if (own.join() === names.join()) continue;
    const chosen = select.value;
    select.replaceChildren(...names.map((name) => new Option(name)));
    if (names.includes(chosen)) select.value = chosen;
  }
}

export function showStudies({ overview, waiting }) {
  const pending = Array.isArray(waiting) ? waiting : [];
  if (!Array.isArray(waiting)) saying($("no-waiting"), `${waiting.problem} ${waiting.hint}`, "bad");
  else { $("no-waiting").className = "soft"; $("no-waiting").textContent = "No study waits."; }
  $("no-waiting").hidden = pending.length > 0;
  $("waiting-count").textContent = pending.length ? `(${pending.length} waiting)` : "";
  keyed($("waiting"), pending, (one) => one.study, waitingStudy);
  const { approved = [], declined = [], joint = [] } = overview;
  $("no-approved").hidden = approved.length > 0;
  $("declined-part").hidden = declined.length === 0;
  whenChanged("approved", approved, () => $("approved").replaceChildren(...(approved.length ? [approvedTable(approved)] : [])));
  $("joint-part").hidden = joint.length === 0;
  keyed($("joint"), joint, (one) => one.study, jointStudy, (card, one) => {
    const about = card.querySelector(".about"), told = keysTold(one);
    if (about.textContent !== told) about.textContent = told;
    card.querySelector("details").hidden = Boolean(one.keys_erased);
  });
  whenChanged("declined", declined, () => $("declined").replaceChildren(table("Declined studies", ["Study", "Digest", "Declined", "Why"],
    declined.map((one) => [one.name, digest(one.study), when(one.time), one.reason]))));
}

const digest = (study) => element("span", study.slice(0, 12), { class: "digest", title: study });

function approvedTable(approved) {
  const output = element("div", "", { class: "outcome", role: "status" });
  const rows = approved.map((one) => {
    const back = button("Withdraw", "no", () => run([back], output, "withdraw", { study: one.study },
      () => `The study ${one.name} is not approved any more. What was spent stays spent.`));
    back.setAttribute("aria-label", `Withdraw the approval of ${one.name}`);
    return [one.name, digest(one.study), one.data, when(one.time), back];
  });
  return within(element("div"), table("Approved studies", ["Study", "Digest", "Data set", "Approved", "Take back"], rows), output);
}

function keysTold(one) {
  // A damaged mark says no time, but that it is over.
  if (one.keys_erased) return `It is over here: its keys were erased ${Number.isNaN(Date.parse(one.keys_erased)) ? one.keys_erased : when(one.keys_erased)}.`;
  return one.has_keys ? "Its keys are kept here." : "Its keys are lost: it cannot go on with this site.";
}

function jointStudy(one) {
  const card = element("article", "", { class: "one", "aria-label": `Joint study ${one.name}` });
  const form = element("form", "", { class: "fields" }), output = element("div", "", { class: "outcome", role: "status" });
  const box = element("input", "", { type: "checkbox", required: "" });
  const erase = element("button", "Erase its keys", { type: "submit", class: "no" });
  form.append(
    element("p", "For a site that was away when the study ended, or a study that was given up. Keys, secrets and parts of sums are erased; what was spent stays spent.", { class: "soft" }),
    within(element("label", "", { class: "tick" }), box, "Erase them for good: the study cannot go on with this site"), erase,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run([erase], output, "end-study", { study: one.study }, ({ erased }) => (erased ? `The keys of the study ${one.name} are erased.` : "They were erased already."));
  });
  card.append(
    within(element("h4"), `${one.name} `, digest(one.study)), element("p", "", { class: "about" }),
    within(element("details"), element("summary", `End ${one.name} at this site`), form), output,
  );
  return card;
}

function waitingStudy(one) {
  const card = element("article", "", { class: "one", "aria-label": `Study ${one.name}` });
  const form = element("form", "", { class: "fields" });
  const select = within(element("select", "", { name: "data", required: "", class: "data-names" }), ...names.map((name) => new Option(name)));
  const base = element("input", "", { name: "base", autocomplete: "off", spellcheck: "false" });
  const shown = element("div"), output = element("div", "", { class: "outcome", role: "status" });
  const look = element("button", "Show what it would do", { type: "submit", class: "main" });
  form.append(
    within(element("label", "For the data set "), select),
    within(element("label", "Folder of its base (empty: the site's own) "), base), look, output,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    shown.replaceChildren();
    const asked = { study: one.study, data: select.value, base: base.value };
    run([look], output, "propose", asked, (proposal) => {
      shown.replaceChildren(...proposed(one, asked, proposal));
      shown.querySelector("h4").focus();
      return proposal.problem ? "It cannot be approved for this data set." : "Read it, then decide.";
    });
  });
  // What was shown is about other choices than those that stand there now.
  for (const field of [select, base]) field.addEventListener("change", () => shown.replaceChildren());
  card.append(
    element("h3", one.name),
    within(element("p", `${counted(one.rounds, "round")}. Fingerprint of the study, the same at the coordinator: `), element("span", grouped(one.study), { class: "digest" })),
    form, shown, declineForm(one),
  );
  return card;
}

function proposed(one, asked, proposal) {
  const output = element("div", "", { class: "outcome", role: "status" });
  const yes = button("Approve", "main", () => run([yes], output, "approve", asked, () => `Approved: ${one.name} may train on ${asked.data}.`));
  yes.disabled = Boolean(proposal.problem);
  yes.setAttribute("aria-label", `Approve ${one.name} for ${asked.data}`);
  const price = [];
  if (proposal.cost && proposal.cost.after !== null) {
    const { before, after, ceiling } = proposal.cost;
    const label = `Epsilon ${after.toPrecision(3)} of ${ceiling} would be spent in the end, ${before.toPrecision(3)} is now`;
    price.push(element("p", `${label}.`), element("meter", label, { min: 0, max: ceiling, high: 0.9 * ceiling, value: after, "aria-label": label }));
  }
  return [
    element("h4", `What ${one.name} would do to ${asked.data}`, { tabindex: "-1" }), facts(proposal.facts), ...price,
    ...(proposal.problem ? [element("p", proposal.problem, { class: "bad-text" })] : []),
    within(element("div", "", { class: "line" }), yes), output,
  ];
}

function declineForm(one) {
  const form = element("form", "", { class: "fields" });
  form.append(
    within(element("label", "Why it is declined; it stays at this site "), element("input", "", { name: "reason", required: "", maxlength: "1000" })),
    element("button", "Decline", { type: "submit", class: "no" }), element("div", "", { class: "outcome", role: "status" }),
  );
  whenSent(form, "decline", (own) => ({ study: one.study, ...texts(own) }), () => `Declined: ${one.name}.`);
  return within(element("details"), element("summary", "Decline it"), form);
}

whenSent($("take-in"), "take-in", async (form) => ({ content: await form.elements.file.files[0].text() }),
  (result) => `${result.name} waits now.`);
