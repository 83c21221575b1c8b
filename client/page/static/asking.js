// Asks the page's own server. The token stands behind the "#" of the address, which no browser
// sends anywhere; it is kept for this tab alone, and goes out of the address at once.

const PLACE = "fedscan-token", FIRST_MS = 150, LATER_MS = 700;

export function readToken() {
  const typed = location.hash.slice(1);
  // Parts of the page have short names; a token is longer than any of them.
  if (typed.length >= 32) {
    sessionStorage.setItem(PLACE, typed);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(PLACE) ?? "";
}

export const keepToken = (token) => sessionStorage.setItem(PLACE, token);

export class Refused extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const headers = { ...options.headers, Authorization: `Bearer ${sessionStorage.getItem(PLACE) ?? ""}` };
  const answer = await fetch(path, { ...options, headers }).catch(() => null);
  if (!answer) throw new Refused("The page's server does not answer.", "Start `fedscan site page` again, and open the address that it prints.");
  if (answer.ok || answer.status === 304) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refused(typeof told.detail === "string" ? told.detail : `The server refused (${answer.status}).`, "", answer.status);
}

/** Do something, and say how far it is as long as it runs. */
export async function act(name, form, say) {
  const begun = await ask(`/api/actions/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(form),
  });
  const { task } = await begun.json();
  for (let pause = FIRST_MS; ; pause = LATER_MS) {
    const now = await (await ask(`/api/tasks/${task}`)).json();
    if (now.state === "finished") return now.result;
    if (now.state === "failed") throw new Refused(now.message, now.hint);
    say(now.step ? `${now.step}: ${now.position}${now.total ? ` of ${now.total}` : ""}` : "At work");
    await new Promise((go) => setTimeout(go, pause));
  }
}
