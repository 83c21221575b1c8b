// The steward's page: asks for the site's state every few seconds, and draws what has changed.

import { ask, keepToken, readToken } from "/asking.js";
import { $, afterEachAction, run, saying, when, whenChanged } from "/parts.js";
import { showData, showOptOuts } from "/data.js";
import { showAudit, showGate, showMembership, showPolicies } from "/record.js";
import { showStudies, usableData } from "/studies.js";

const PAUSE_MS = 5000;
let tag = "", paused = false;

function showHead({ overview, folder }) {
  if (overview.problem) {
    $("status").textContent = `${overview.problem} ${overview.hint}`;
    $("status").className = "status bad";
    return;
  }
  const now = overview.daemon;
  document.title = `${overview.site} – fedscan site`;
  $("name").textContent = `Site ${overview.site}`;
  const runs = !now.running ? (now.problem ? `It ended: ${now.problem}` : "The site does not run") : now.connected ? `Runs, connected since ${when(now.since)}` : `Runs, not connected: ${now.problem}`;
  const text = `${runs}${overview.paused ? ". Paused: every request is answered with that word" : ""}`;
  // Only a change is announced by a screen reader.
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").className = `status ${now.problem ? "bad" : now.running && !overview.paused ? "good" : ""}`;
  $("where").textContent = [now.hint, `Home: ${folder}`, `Coordinator: ${overview.coordinator || "none yet"}`].filter(Boolean).join(" · ");
  paused = overview.paused;
  $("pausing").hidden = false;
  $("pause").textContent = paused ? "Take part again" : "Pause: take no part from now on";
}

function show(state) {
  showHead(state);
  const data = Array.isArray(state.data) ? state.data : [];
  if (state.data.problem) saying($("no-data"), `${state.data.problem} ${state.data.hint}`, "bad");
  usableData(data);
  showStudies(state);
  showData({ ...state, data });
  whenChanged("gate", state.gate, () => showGate(state.gate));
  whenChanged("opt-outs", state.optOuts, () => showOptOuts(state.optOuts));
  whenChanged("audit", state.audit, () => showAudit(state.audit));
  whenChanged("policies", state.policies, () => showPolicies(state.policies));
  whenChanged("membership", [state.fingerprint, state.overview.coordinator], () => showMembership(state.fingerprint, state.overview));
}

async function look() {
  try {
    const answer = await ask("/api/state", tag ? { headers: { "If-None-Match": tag } } : {});
    $("offline").hidden = true;
    $("entry").hidden = true;
    $("site").hidden = false;
    if (answer.status !== 304) {
      tag = answer.headers.get("etag") ?? "";
      show(await answer.json());
    }
    return true;
  } catch (failure) {
    if (failure.status === 401) {
      $("entry").hidden = false;
      $("site").hidden = true;
      $("pausing").hidden = true;
      $("status").textContent = "The page is locked";
      return false;
    }
    $("offline").textContent = [failure.message, failure.hint].filter(Boolean).join(" ");
    $("offline").hidden = false;
    return true;
  }
}

async function watch() {
  if (!(await look())) return;
  setTimeout(watch, PAUSE_MS);
}

$("entry").addEventListener("submit", async (event) => {
  event.preventDefault();
  // The whole address may be pasted, too.
  keepToken($("token").value.trim().split("#").at(-1));
  await watch();
  $("entry-problem").textContent = $("entry").hidden ? "" : "This is not the token of the page that runs now.";
});
$("pause").addEventListener("click", () => run([$("pause")], $("pause-outcome"), paused ? "resume" : "pause", {}, () => (paused ? "The site takes part again." : "The site is paused. A round that is being trained is finished.")));
afterEachAction(look);
readToken();
watch();
