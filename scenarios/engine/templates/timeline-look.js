// What the pointer and the keys do, and what is said of what they find.
const tip = document.getElementById("tip");
const details = document.getElementById("details");
const search = document.getElementById("search");
const jumps = [...document.querySelectorAll(".jump")];
const NEAR = 12;

function element(tag, text, css) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (css) made.className = css;
  return made;
}

function resize() {
  width = view.clientWidth;
  height = view.clientHeight;
  const total = look.lanes.reduce((sum, l) => sum + l.height, HEAD);
  document.getElementById("room").style.height = Math.max(total, height) + "px";
  draw();
}
function reveal(l) {
  let top = 0;
  for (const other of look.lanes) { if (other === l) break; top += other.height; }
  const low = view.scrollTop, high = low + view.clientHeight - HEAD - l.height;
  if (top < low || top > high) view.scrollTop = Math.max(0, top - (view.clientHeight - HEAD) / 3);
}

// A lane's entries around one of them, as text: what the picture cannot say.
function tell(title, l, row) {
  details.replaceChildren(element("h3", title));
  const known = l && l.rows.length ? l.rows : row ? [row] : [];
  const time = row ? row[TIME] : look.violation ? look.violation.time : (look.from + look.to) / 2;
  let index = row ? known.indexOf(row) : known.findIndex((other) => other[TIME] >= time);
  if (index < 0) index = known.length - 1;
  const table = element("table");
  const broken = row ? null : look.violation;
  for (const other of known.slice(Math.max(0, index - NEAR), index + NEAR)) {
    if (broken && other[TIME] > time && !table.querySelector(".picked")) breach(table, broken);
    const line = element("tr");
    if (other === row) line.classList.add("picked");
    if (other[TROUBLE]) line.classList.add("trouble");
    const fault = other[FAULT] ? "  fault " + words[other[FAULT]] : "";
    const mark = cited.has(ref(other)) ? "*" : "";
    for (const text of [mark, at(other[TIME]), words[other[WHO]], words[other[DID]], words[other[RESULT]],
      words[other[NOTE]] + fault, ref(other)]) line.append(element("td", text));
    line.addEventListener("click", () => pick(other, l));
    table.append(line);
  }
  if (broken && !table.querySelector(".picked")) breach(table, broken);
  details.append(table);
  const picked = table.querySelector(".picked");
  if (picked) details.scrollTop = picked.offsetTop - details.clientHeight / 2;
}

function breach(table, violation) {
  const line = element("tr", undefined, "picked");
  for (const text of [">>>", at(violation.time), violation.invariant]) line.append(element("td", text));
  table.append(line);
}

function pick(row, l) {
  look.row = row;
  look.lane = l ?? look.lane;
  if (row[TIME] < look.from || row[TIME] > look.to) pan((row[TIME] - (look.from + look.to) / 2) / (look.to - look.from));
  if (l) reveal(l);
  tell(describe(row).split("\n").join("; "), l, row);
  draw();
}
function choose(l) {
  look.lane = l;
  look.row = null;
  reveal(l);
  tell(`${l.kind} ${l.name}${l.found.about ? " (" + l.found.about + ")" : ""}`, l, null);
  draw();
}

// A violation, with as much time around it as what it refers to.
function jump(index) {
  const violation = data.violations[index];
  if (!violation) return;
  look.violation = violation;
  look.row = null;
  jumps.forEach((button, place) => {
    if (place === index) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  jumps[index]?.scrollIntoView({ block: "nearest" });
  const chapter = document.getElementById("chapter-" + jumps[index]?.dataset.chapter);
  if (chapter) {
    document.querySelectorAll(".chapter").forEach((other) => { other.open = other === chapter; });
  }
  const times = rows.filter((row) => violation.refs.includes(ref(row))).map((row) => row[TIME]);
  const first = Math.min(violation.time, ...times);
  const span = Math.max((violation.time - first) * 1.6, Math.min(WHOLE / 10, 4));
  filter("");
  show(violation.time - span * 0.75, violation.time + span * 0.35);
  if (violation.lane) { look.lane = violation.lane; reveal(violation.lane); }
  tell(`${at(violation.time)}  ${violation.invariant}: ${violation.detail}`, violation.lane, null);
}
function step(by) {
  const count = data.violations.length;
  if (!count) return;
  const now = data.violations.indexOf(look.violation);
  jump(now < 0 ? 0 : (now + by + count) % count);
}

function filter(text) {
  search.value = text;
  look.query = text.trim().toLowerCase();
  look.lanes = lanes.filter((l) => matches(l, look.query));
  const hosts = look.lanes.filter((l) => l.kind === "host").length;
  document.getElementById("count").textContent = `${hosts} of ${data.hosts.length} hosts`
    + (data.hidden ? `; ${data.hidden} more are not in this file` : "");
  resize();
}

function found(event) {
  const edge = canvas.getBoundingClientRect(), x = event.clientX - edge.left, y = event.clientY - edge.top;
  for (let slack = 0; slack <= 4; slack += 2) {
    for (let index = boxes.length - 1; index >= 0; index--) {
      const [left, top, w, h, item] = boxes[index];
      if (top < HEAD && item.lane && y < HEAD) continue;
      if (x >= left - slack && x <= left + w + slack && y >= top - slack && y <= top + h + slack) return item;
    }
  }
  return null;
}
function said(item) {
  if (item.row) return describe(item.row);
  if (item.violation) return `${at(item.violation.time)}  ${item.violation.invariant}\n${item.violation.detail}`;
  return item.tip;
}

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX, from: look.from, to: look.to, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (drag && Math.abs(event.clientX - drag.x) > 3) drag.moved = true;
  if (drag?.moved) {
    const step = (drag.x - event.clientX) / (width - LEFT) * (drag.to - drag.from);
    show(drag.from + step, drag.to + step);
    return;
  }
  const item = found(event);
  tip.hidden = !item;
  if (!item) return;
  tip.textContent = said(item);
  tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
  const below = event.clientY + 16 + tip.offsetHeight < window.innerHeight;
  tip.style.top = (below ? event.clientY + 16 : event.clientY - tip.offsetHeight - 10) + "px";
});
canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
canvas.addEventListener("pointerup", (event) => {
  const moved = drag?.moved;
  drag = null;
  if (moved) return;
  const item = found(event);
  if (item?.violation) jump(data.violations.indexOf(item.violation));
  else if (item?.row) pick(item.row, item.lane);
  else if (item?.lane) choose(item.lane);
});
canvas.addEventListener("pointercancel", () => { drag = null; });
canvas.addEventListener("dblclick", (event) => zoom(0.4, moment(event.clientX - canvas.getBoundingClientRect().left)));
view.addEventListener("wheel", (event) => {
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, moment(event.clientX - canvas.getBoundingClientRect().left));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan((event.deltaX || event.deltaY) / 800);
  }
}, { passive: false });
view.addEventListener("scroll", draw);

function along(by) {
  const own = look.lane?.rows ?? [];
  if (!own.length) return;
  let index = own.indexOf(look.row);
  if (index < 0) index = own.findIndex((row) => row[TIME] >= (look.from + look.to) / 2) - (by > 0 ? 1 : 0);
  const next = own[Math.min(Math.max(index + by, 0), own.length - 1)];
  if (next) pick(next, look.lane);
}
function down(by) {
  const index = look.lanes.indexOf(look.lane);
  const next = look.lanes[Math.min(Math.max(index + by, 0), look.lanes.length - 1)];
  if (next) choose(next);
}
const KEYS = {
  ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), ArrowUp: () => down(-1), ArrowDown: () => down(1),
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1.6), "0": fit, n: () => step(1), p: () => step(-1),
  ",": () => along(-1), ".": () => along(1), "/": () => search.focus(), Escape: () => filter(""),
};
view.addEventListener("keydown", (event) => {
  const act = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});
search.addEventListener("input", () => filter(search.value));
search.addEventListener("keydown", (event) => { if (event.key === "Escape") { filter(""); view.focus(); } });
for (const [id, act] of [["in", () => zoom(0.6)], ["out", () => zoom(1.6)], ["fit", fit],
  ["next", () => step(1)], ["previous", () => step(-1)]])
  document.getElementById(id)?.addEventListener("click", act);
jumps.forEach((button, index) => button.addEventListener("click", () => jump(index)));
document.querySelectorAll(".state").forEach((item) => {
  item.querySelector("i").style.background = `var(--${item.dataset.state})`;
});

for (const [source, name] of [[matchMedia("(prefers-color-scheme: dark)"), "change"], [document, "themechange"]])
  source.addEventListener(name, () => { readColours(); draw(); });
new ResizeObserver(resize).observe(view);
readColours();
filter("");
fit();
const asked = /^#violation-(\d+)$/.exec(location.hash);
if (data.violations.length) jump(asked ? Math.min(Number(asked[1]), data.violations.length - 1) : 0);
