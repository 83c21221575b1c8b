// What left, what is on record, what is wrong, what the policy says, and who this site is.

import { $, counted, element, list, number, prose, run, saying, table, texts, when, whenSent, within } from "/parts.js";

const MEANS = { ok: "good-text", warning: "warn-text", problem: "bad-text", skipped: "soft" };
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function showGate(gate) {
  if (gate.problem) return saying($("gate"), `${gate.problem} ${gate.hint}`, "bad");
  const refusals = Object.entries(gate.refusals).map(([code, count]) => `${count} × ${code}`);
  $("gate").textContent = `${counted(gate.requests, "request")}; ${counted(gate.left, "answer")} left, ${refusals.length ? `refused: ${refusals.join(", ")}` : "nothing was refused"}. Besides this, only short codes left. Each answer passed the gate and was put on record before it left.`;
  const rows = gate.departures.map((one) => {
    const tensors = within(element("details"), element("summary", `${counted(one.tensors.length, "tensor")}`),
      list(one.tensors.map((tensor) => within(element("li", `${tensor.name}, ${tensor.type}, ${tensor.shape.join(" × ") || "one number"}: `), element("span", tensor.sha256, { class: "digest" })))));
    return [when(one.time), capital(one.words), element("span", one.study.slice(0, 12), { class: "digest", title: one.study }), one.data, one.norm === null ? "" : number(one.norm), tensors];
  });
  $("departures").replaceChildren(rows.length ? table("What left", ["Time", "What", "Study", "Data set", "Moved the weights by", "What was in it, with SHA-256"], rows, { numbers: [4] }) : element("p", "Nothing left yet.", { class: "soft" }));
}

export function showAudit(audit) {
  if (audit.problem) return saying($("audit"), `${audit.problem} ${audit.hint}`, "bad");
  const shortened = (value) => { const text = typeof value === "string" ? value : JSON.stringify(value); return text.length > 40 ? `${text.slice(0, 37)}…` : text; };
  $("audit").replaceChildren(table("Newest lines of the audit log", ["Line", "Time", "What happened", "Facts"],
    audit.map((one) => [one.sequence, when(one.time), element("span", capital(one.words), { title: one.event }), Object.entries(one.facts).map(([key, value]) => `${key} ${shortened(value)}`).join(", ")])));
}

export function showPolicies(policies) {
  if (policies.problem) return saying($("policies"), `${policies.problem} ${policies.hint}`, "bad");
  const shown = (value) => (Array.isArray(value) ? value.join(", ") || "none named" : value === "" ? "empty" : value === true ? "yes" : value === false ? "no" : String(value));
  $("policies").replaceChildren(...policies.flatMap(({ data, path, settings }) => [
    element("h3", data ? `For the data set ${data}` : "For every data set"), within(element("p", "", { class: "soft" }), element("code", path)),
    table(data ? `Settings for ${data}` : "Settings for every data set", ["Setting", "Value", "What it means"], settings.map((one) => [one.name, shown(one.value), prose(one.meaning)])),
  ]));
}

export function showMembership(fingerprint, overview) {
  const own = typeof fingerprint === "string" ? fingerprint : "";
  $("fingerprint").replaceChildren(`Coordinator: ${overview.coordinator || "none yet"}. `, ...(own ? ["Fingerprint of this site's request, to be compared on the telephone: ", element("span", own, { class: "digest" })] : []));
}

$("examine").addEventListener("click", () => run([$("examine")], $("findings"), "doctor", {}, ({ findings }) => {
  const count = (state) => findings.filter((one) => one.state === state).length;
  const summary = count("problem") + count("warning") ? `${counted(count("problem"), "problem")} and ${counted(count("warning"), "warning")} in ${findings.length} checks.` : `All is well (${findings.length} checks).`;
  const rows = findings.map((one) => [one.check, element("span", one.state, { class: MEANS[one.state] }), prose(one.hint ? `${one.message} → ${one.hint}` : one.message)]);
  return within(element("div"), element("p", summary, { class: "status" }), table("What the doctor found", ["Check", "State", "What was found"], rows));
}));
whenSent($("verify-audit"), "verify-audit", texts, ({ lines, head }) => within(element("p", `All ${lines} lines are as they were written. Head, to be noted elsewhere: `), element("span", head, { class: "digest" })));
whenSent($("evidence"), "evidence", texts, ({ folder, files, signer }) => within(element("p", `Written to ${folder}: ${Object.keys(files).join(", ")} and evidence.json. Signed by the key `), element("span", signer, { class: "digest" })));
whenSent($("join"), "join", async (form) => ({ content: await form.elements.file.files[0].text(), fingerprint: form.elements.fingerprint.value }),
  ({ coordinator, authority, joined }) => (joined ? `The site connects to ${coordinator}.` : within(element("p", `A welcome from ${coordinator}. Nothing was changed. Have the fingerprint of its authority read out, and enter it above: `), element("span", authority, { class: "digest" }))));
whenSent($("new-keys"), "new-keys", () => ({}), ({ request, fingerprint }) => {
  $("new-keys").reset();
  return within(element("p", `Send ${request} to the coordinator. Its fingerprint: `), element("span", fingerprint, { class: "digest" }));
});
