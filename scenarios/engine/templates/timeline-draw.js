// Drawing: only the lanes in sight, each mark with a box by which the pointer finds it.
const view = document.getElementById("view");
const canvas = document.getElementById("canvas");
const pen = canvas.getContext("2d");
const LEFT = 150, HEAD = 46;
let boxes = [];
let colours = {};
let width = 800, height = 400;

function readColours() {
  // Through an element, as the variables hold a colour for each theme.
  const probe = document.createElement("i");
  document.body.append(probe);
  const names = ["bg", "card", "ink", "soft", "line", "bad", "bad-bg", "fault", "good", "accent", "media",
    "shade", "pick", "Enrolling", "Available", "Claimed", "Provisioning", "Provisioned",
    "Deprovisioning", "Error", "Unknown"];
  colours = Object.fromEntries(names.map((n) => {
    probe.style.color = `var(--${n})`;
    return [n, getComputedStyle(probe).color];
  }));
  probe.remove();
}
const place = (time) => LEFT + (time - look.from) / (look.to - look.from) * (width - LEFT);
const moment = (x) => look.from + (x - LEFT) / (width - LEFT) * (look.to - look.from);
const visible = (start, end) => end >= look.from && start <= look.to;

function box(x, y, w, h, item) { boxes.push([x, y, w, h, item]); }

function bar(start, end, y, h, colour, label, tip, l) {
  if (!visible(start, end)) return;
  const x = Math.max(place(start), LEFT), w = Math.max(Math.min(place(end), width) - x, 1);
  pen.fillStyle = colour;
  pen.fillRect(x, y, w, h);
  if (label && w > 34) {
    pen.save();
    pen.beginPath();
    pen.rect(x, y, w, h);
    pen.clip();
    pen.fillStyle = l.kind === "fault" ? "#1b1300" : "#fff";
    pen.font = "11px system-ui, sans-serif";
    pen.fillText(label, x + 4, y + h - 4);
    pen.restore();
  }
  box(x, y, w, h, { tip: `${tip}\n${at(start)} to ${at(end)}`, lane: l, time: start });
}

function mark(row, x, y, w, h, l) {
  if (row === look.row) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    pen.strokeRect(x - 3, y - 3, w + 6, h + 6);
  }
  if (cited.has(ref(row))) {
    pen.fillStyle = colours.bad;
    pen.fillRect(x - 1, y + h + 1, w + 2, 2);
  }
  box(x, y, w, h, { row, lane: l, time: row[TIME] });
}

const GLYPHS = {
  "power-on": ["\u25b2", "good"], "power-off": ["\u25bc", "soft"], "boot-started": ["\u25a1", "accent"],
  "boot-finished": ["\u25a0", "accent"], "boot-failed": ["\u2715", "bad"],
  "media-inserted": ["\u25cf", "media"], "media-ejected": ["\u25cb", "media"],
};

function write(row, y, l) {
  const x = place(row[TIME]), failed = row[TROUBLE] & FAILED;
  pen.fillStyle = failed ? colours.bad : client.get(words[row[WHO]]) ?? colours.soft;
  pen.fillRect(x - 1, y, 2, 7);
  mark(row, x - 1, y, 2, 7, l);
}
function request(row, y, l) {
  const x = place(row[TIME]), w = Math.max(place(row[TIME] + row[TOOK]) - x, 2);
  const h = row[TALL] ? 13 : 7, top = y + 13 - h;
  pen.fillStyle = client.get(words[row[WHO]]) ?? colours.soft;
  pen.globalAlpha = row[TALL] ? 0.9 : 0.5;
  pen.fillRect(x, top, w, h);
  pen.globalAlpha = 1;
  if (row[TROUBLE] & FAILED) { pen.fillStyle = colours.bad; pen.fillRect(x - 1, top, w + 2, 4); }
  if (row[TROUBLE] & HIT) dot(x + w / 2, y - 2);
  mark(row, x, top, w, h, l);
}
function dot(x, y) {
  pen.fillStyle = colours.fault;
  pen.beginPath();
  pen.arc(x, y, 2.2, 0, 7);
  pen.fill();
}
function event(row, y, l) {
  const x = place(row[TIME]), [glyph, colour] = GLYPHS[words[row[DID]]] ?? ["\u25c6", "soft"];
  pen.fillStyle = colours[colour];
  pen.font = "10px system-ui, sans-serif";
  pen.fillText(glyph, x - 4, y + 9);
  if (row[TROUBLE] & HIT) dot(x, y);
  mark(row, x - 4, y, 9, 10, l);
}
const DRAWN = { write: [write, 27], request: [request, 37], event: [event, 53] };

function owner(l, bars, y, what) {
  for (const [start, end, name, seq] of bars) {
    const other = look.query && !words[name].toLowerCase().includes(look.query)
      && !l.name.toLowerCase().includes(look.query);
    pen.globalAlpha = other ? 0.3 : 1;
    const colour = `hsl(${hue(words[name])} 55% 42%)`;
    bar(start, end, y, 14, colour, words[name], `${what} ${words[name]} (w${seq})`, l);
    pen.globalAlpha = 1;
  }
}
function states(l, bars, y) {
  for (const [start, end, name, seq] of bars)
    bar(start, end, y, 7, colours[words[name]] ?? colours.Unknown, "", `${words[name]} (w${seq})`, l);
}

const PAINT = {
  fault(l, y) {
    for (const [start, end, text] of l.found.faults)
      bar(start, end, y + 4, 12, colours.fault, text, "fault " + text, l);
  },
  manager(l, y) {
    const { start, end, killed, leases } = l.found, colour = client.get(l.name);
    bar(start, end, y + 4, 10, colour, "", killed ? "alive until it was killed" : "alive", l);
    if (killed && visible(end, end)) {
      pen.fillStyle = colours.bad;
      pen.font = "bold 12px system-ui, sans-serif";
      pen.fillText("\u2715 killed", place(end) - 4, y + 14);
    }
    for (const [from, to, role] of leases) {
      const claims = role === "claims";
      bar(from, to, y + (claims ? 23 : 16), 6, claims ? colours.media : colours.good, "", `leader for ${role}`, l);
    }
    for (const row of l.rows) if (visible(row[TIME], row[TIME])) write(row, y + 34, l);
  },
  machine(l, y) {
    owner(l, l.found.hosts, y + 4, "owned");
    states(l, l.found.phases, y + 20);
    for (const row of l.rows) if (visible(row[TIME], row[TIME])) write(row, y + 32, l);
  },
  host(l, y) {
    for (const [start, end, text] of l.found.faults)
      bar(start, end, y, 3, colours.fault, "", "fault " + text, l);
    owner(l, l.found.owners, y + 4, "of");
    states(l, l.found.states, y + 19);
    for (const row of l.rows) {
      if (!visible(row[TIME], row[TIME] + row[TOOK])) continue;
      const drawn = DRAWN[source(row)];
      if (drawn) drawn[0](row, y + drawn[1], l);
    }
  },
};

function steps() {
  const rough = (look.to - look.from) / Math.max((width - LEFT) / 110, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= rough * 0.999);
}
function head() {
  pen.fillStyle = colours.card;
  pen.fillRect(0, 0, width, HEAD);
  const step = steps(), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  pen.font = "11px system-ui, sans-serif";
  for (let n = Math.ceil(look.from / step); n * step <= look.to; n++) {
    const x = place(n * step);
    pen.fillStyle = colours.soft;
    pen.fillText(`${(n * step).toFixed(digits)} s`, x + 3, 12);
    pen.fillStyle = colours.line;
    pen.fillRect(x, 0, 1, HEAD);
  }
  let free = LEFT;
  for (const row of acts) {
    if (!visible(row[TIME], row[TIME])) continue;
    const x = place(row[TIME]), kills = words[row[DID]] === "kill-manager";
    pen.fillStyle = kills ? colours.bad : colours.accent;
    pen.fillRect(x - 1, 18, 2, 14);
    const text = words[row[DID]] + (row[NOTE] ? " " + words[row[NOTE]] : "");
    if (x >= free) { pen.fillText(text, x + 4, 29); free = x + pen.measureText(text).width + 14; }
    box(x - 2, 18, 4, 14, { row, time: row[TIME] });
  }
  for (const violation of data.violations) {
    if (!visible(violation.time, violation.time)) continue;
    const x = place(violation.time);
    pen.fillStyle = colours.bad;
    pen.font = violation === look.violation ? "bold 14px system-ui" : "11px system-ui, sans-serif";
    pen.fillText("\u25bc", x - 5, 44);
    box(x - 5, 34, 10, 12, { violation, time: violation.time });
  }
  pen.fillStyle = colours.card;
  pen.fillRect(0, 0, LEFT, HEAD);
  pen.fillStyle = colours.soft;
  pen.font = "11px system-ui, sans-serif";
  ["seconds", "acts", "violations"].forEach((text, row) => pen.fillText(text, 8, 12 + row * 16));
  pen.fillStyle = colours.line;
  pen.fillRect(0, HEAD - 1, width, 1);
}

function name(l, y) {
  pen.fillStyle = l === look.lane ? colours.pick : colours.card;
  pen.fillRect(0, y, LEFT, l.height);
  pen.fillStyle = l.violations.length ? colours.bad : colours.ink;
  pen.font = (l.violations.length ? "bold " : "") + "12px system-ui, sans-serif";
  const colour = client.get(l.name);
  if (l.kind === "manager") { pen.fillStyle = colour; pen.fillRect(0, y + 4, 4, l.height - 8); pen.fillStyle = colours.ink; }
  const text = l.kind === "fault" ? "fault" : l.name;
  pen.fillText(text.length > 20 ? text.slice(0, 19) + "\u2026" : text, 8, y + 15);
  if (l.found.about) { pen.fillStyle = colours.soft; pen.font = "10.5px system-ui, sans-serif"; pen.fillText(l.found.about.slice(0, 22), 8, y + 30); }
  if (l.kind === "machine") { pen.fillStyle = colours.soft; pen.font = "10.5px system-ui, sans-serif"; pen.fillText("machine", 8, y + 30); }
  box(0, y, LEFT, l.height, { lane: l, tip: l.kind === "fault" ? text : `${l.kind} ${l.name}` });
}

let due = false;
function draw() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; paint(); });
}
function paint() {
  boxes = [];
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.card;
  pen.fillRect(0, 0, width, height);
  let y = HEAD - view.scrollTop;
  look.lanes.forEach((l, index) => {
    if (y + l.height > HEAD && y < height) {
      if (l === look.lane || index % 2) {
        pen.fillStyle = l === look.lane ? colours.pick : colours.shade;
        pen.fillRect(LEFT, y, width - LEFT, l.height);
      }
      for (const violation of l.violations) {
        if (!visible(violation.time, violation.time)) continue;
        pen.fillStyle = colours.bad;
        pen.fillRect(place(violation.time) - 1, y, 2, l.height);
        box(place(violation.time) - 3, y, 6, l.height, { violation, lane: l, time: violation.time });
      }
      PAINT[l.kind](l, y);
      name(l, y);
    }
    y += l.height;
  });
  if (look.violation && visible(look.violation.time, look.violation.time)) {
    pen.fillStyle = colours.bad;
    for (let dash = HEAD; dash < height; dash += 8) pen.fillRect(place(look.violation.time), dash, 1, 4);
  }
  head();
}
