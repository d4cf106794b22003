// The data and the lanes made of it. Everything shown goes through textContent or fillText.
const data = JSON.parse(document.getElementById("data").textContent);
const words = data.words;
const [SOURCE, TIME, TOOK, TROUBLE, WHO, DID, RESULT, NOTE, FAULT, SEQ, TALL] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const LETTERS = { write: "w", request: "r", event: "e" };
const FAILED = 1, HIT = 2;

const rows = data.rows;
const source = (row) => data.sources[row[SOURCE]];
const ref = (row) => (LETTERS[source(row)] ?? "") + (row[SEQ] || "");
const at = (time) => time.toFixed(3) + " s";

// The sequence numbers that verdicts refer to, and where they are.
const cited = new Set(data.violations.flatMap((violation) => violation.refs));

function describe(row) {
  const parts = [`${at(row[TIME])}  ${words[row[WHO]]}  ${words[row[DID]]}`];
  if (row[RESULT]) parts[0] += `  ${words[row[RESULT]]}`;
  if (row[NOTE]) parts.push(words[row[NOTE]]);
  if (row[FAULT]) parts.push("fault " + words[row[FAULT]]);
  if (ref(row)) parts.push(ref(row) + (cited.has(ref(row)) ? ", to which the verdict refers" : ""));
  return parts.join("\n");
}

// A colour for each of many names, far from its neighbours'.
const hues = new Map();
function hue(name) {
  if (!hues.has(name)) hues.set(name, (hues.size * 137.508 + 210) % 360);
  return hues.get(name);
}
const clients = ["#2f6fde", "#c2410c", "#0f8a6a", "#a21caf", "#7c6a0a", "#0e7490", "#be185d", "#4d7c0f"];
const client = new Map(data.managers.map((m, index) => [m.name, clients[index % clients.length]]));

const HEIGHTS = { fault: 20, manager: 46, machine: 44, host: 66 };
function lane(kind, name, found) {
  const own = (found.entries ?? []).map((index) => rows[index]);
  return { kind, name, height: HEIGHTS[kind], found, rows: own, violations: [] };
}
const lanes = [
  ...data.faults.map((fault) => lane("fault", fault[2], { faults: [fault] })),
  ...data.managers.map((found) => lane("manager", found.name, found)),
  ...data.machines.map((found) => lane("machine", found.name, found)),
  ...data.hosts.map((found) => lane("host", found.name, found)),
];
for (const violation of data.violations) {
  const home = lanes.find((l) => l.kind === "host" && l.name === violation.host)
    ?? lanes.find((l) => l.kind === "machine" && l.name === violation.machine);
  violation.lane = home;
  for (const l of lanes) {
    const hurt = (l.kind === "host" && l.name === violation.host)
      || (l.kind === "machine" && l.name === violation.machine);
    if (hurt) l.violations.push(violation);
  }
}
const acts = rows.filter((row) => source(row) === "act");

// What is to be seen: the span of time, the lanes, and what is picked.
const look = {
  from: data.begin, to: data.end, lanes, query: "", lane: null, row: null, violation: null,
};
const WHOLE = Math.max(data.end - data.begin, 0.001);
const MIN_SPAN = 0.002;

function show(from, to) {
  const span = Math.min(Math.max(to - from, MIN_SPAN), WHOLE * 1.1);
  const middle = (from + to) / 2;
  const low = Math.min(Math.max(middle - span / 2, data.begin - WHOLE * 0.05), data.end + WHOLE * 0.05 - span);
  look.from = low;
  look.to = low + span;
  draw();
}
function zoom(factor, around = (look.from + look.to) / 2) {
  show(around - (around - look.from) * factor, around + (look.to - around) * factor);
}
function pan(share) {
  const step = (look.to - look.from) * share;
  show(look.from + step, look.to + step);
}
const fit = () => show(data.begin - WHOLE * 0.01, data.end + WHOLE * 0.01);

function matches(l, query) {
  if (!query || l.name.toLowerCase().includes(query)) return true;
  const named = [...(l.found.owners ?? []), ...(l.found.hosts ?? [])];
  return named.some((bar) => words[bar[2]].toLowerCase().includes(query));
}
