// How the page says things: numbers, and what happened.

// Up to so many sites are named, or shown alike.
export const FEW = 12;

export const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(3)).toString());
export const small = (value) => (value < 1e-3 ? value.toExponential() : value.toString());
export const cosine = (value) => (value === null ? "–" : value.toFixed(3));
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
export const seconds = (value) => (value === null ? "–" : value < 100 ? value.toFixed(1) : Math.round(value).toString());
export const share = (value) => (value === null ? "–" : `${number(100 * value)} %`);

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Sites by name; many by their number. */
const several = (sites) => (sites.length > FEW ? counted(sites.length, "site") : sites.join(", "));

/** Which joint sum is meant. */
const sumOf = ({ round, attempt }) => `${round ? `Round ${round}` : "What is counted once"}${attempt > 1 ? `, attempt ${attempt}` : ""}`;

/**
 * What happened, in one sentence.
 * @param {(code: string) => string} meaning what a site's code means
 */
export function sentence(event, meaning) {
  switch (event.event) {
    case "ReadinessAsked": return `Could the study begin? Asked ${counted(event.sites, "site")}, at no cost`;
    case "ReadinessReceived": return `${event.site} ${event.code === "ok" ? "could begin" : `could not begin: ${meaning(event.code)}`}`;
    case "SitesConnected": return `Connected: ${counted(event.sites, "site")}; rounds ${event.first_round} to ${event.rounds} follow`;
    case "SitesAwaited": return `Waiting for ${Object.entries(event.sites).map(([site, code]) => `${site} (${meaning(code)})`).join(", ")}`;
    case "StatisticsAsked": return `Statistics for the warm-up: asked ${counted(event.sites, "site")}`;
    case "StatisticsReceived": return `Statistics for the warm-up, ${event.site}: ${meaning(event.code)}`;
    case "CompositionAsked": return `Noised numbers for a data card: asked ${counted(event.sites, "site")}`;
    case "CompositionReceived": return `Noised numbers for a data card, ${event.site}: ${meaning(event.code)}`;
    case "WarmedUp": return `The base was moved towards the means of ${counted(event.groups, "group")}`;
    case "RoundStarted": return `Round ${event.round} of ${event.rounds}: asked ${counted(event.sites, "site")}`;
    case "SiteFinished": return `Round ${event.round}, ${event.site}: ${meaning(event.code)} after ${seconds(event.seconds)} s`;
    case "RoundFinished": return `Round ${event.round} is combined from ${counted(event.results, "result")} and saved`;
    case "KeysAsked": return `Keys for joint sums: asked ${counted(event.sites, "site")}`;
    case "KeyReceived": return `Keys for joint sums, ${event.site}: ${meaning(event.code)}`;
    case "RosterMade": return `The roster is made, of ${several(event.sites)}. Words to compare: ${event.words}`;
    case "PartReady": return `${sumOf(event)}, ${event.site}: ${event.code === "ok" ? "has its part" : meaning(event.code)}`;
    case "SumSettled": return `${sumOf(event)}: the sum is of ${several(event.sites)}`;
    case "PartReceived": return `${sumOf(event)}, ${event.site}: ${event.code === "ok" ? "gave its part under masks" : meaning(event.code)}`;
    case "AttemptLost": return `${sumOf(event)} is lost, for ${event.reason}`;
    case "SitesSuspected": return `${sumOf(event)}: one of ${several(event.sites)} spoils the sums (${event.reason}). Sums of two halves of the sites will tell which`;
    case "CulpritsFound": return `${sumOf(event)}: asked no more, for spoiling the sums: ${several(event.sites)} (${event.reason})`;
    case "EndTold": return `The study is over: told ${counted(event.sites, "site")} to erase the keys`;
    case "KeysErased": return `Keys for joint sums, ${event.site}: ${event.code === "ok" ? "erased" : meaning(event.code)}`;
    case "LossMeasured": return `${event.round ? `Round ${event.round}` : "Before the first round"}: loss on public images ${number(event.loss)}`;
    case "WeightsMoved": return `Round ${event.round} moved the weights by ${share(event.share)} of their length`;
    case "NothingMoved": return "The weights of the U-Net are those that the study started from";
    case "WorkSkipped": return `Left out: ${event.what}, for ${event.reason}`;
    case "CheckpointSkipped": return `The damaged checkpoint ${event.name} was passed over: ${event.reason}`;
    case "GeneratorSaved": return `The generator is saved in ${event.folder}`;
    case "StudyStopped": return `The study stopped (${event.code}): ${event.reason}`;
    default: return event.event;
  }
}
