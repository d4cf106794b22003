{
// What can be asked of a plot. All of its data is in the picture: the points with their titles.
const FULL = 1000;
const CLOCK = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const element = (home, name, attributes) => {
  const made = document.createElementNS(home.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// Round numbers between two values, as the page itself has them.
function stepOf(rough, unit) {
  if (unit === "seconds" && rough > 0.5) {
    const clock = CLOCK.find((each) => each >= rough * (1 - 1e-9));
    if (clock) return clock;
  }
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((m) => m * power).find((each) => each >= rough * (1 - 1e-9));
}
function ticks(low, high, log, unit) {
  if (log && high / low > 8) {
    let inside = [];
    for (const parts of [[1, 2, 5], [1, 3], [1]]) {
      inside = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1)
        inside.push(...parts.map((m) => m * 10 ** power));
      inside = inside.filter((each) => each >= low && each <= high);
      if (inside.length <= 7) break;
    }
    const every = Math.ceil(inside.length / 7);
    return inside.filter((_, index) => index % every === 0);
  }
  let step = stepOf((high - low) / 5, unit);
  if (unit === "count") step = Math.max(step, 1);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(n * step);
  return found;
}
const plainNumber = (value) => String(Number(value.toPrecision(6)));
function named(value, unit) {
  if (value < 0) return "\u2212" + named(-value, unit);
  if (unit === "ratio") return plainNumber(value * 100) + " %";
  if (unit !== "seconds") return Number(plainNumber(value)).toLocaleString("en").replaceAll(",", "\u202f");
  if (value === 0) return "0s";
  if (value < 1) return plainNumber(value * 1000) + "ms";
  const hours = Math.floor(value / 3600), minutes = Math.floor((value % 3600) / 60);
  const rest = Number((value % 60).toPrecision(6));
  return [[hours, "h"], [minutes, "m"], [rest, "s"]].filter(([n]) => n).map(([n, u]) => n + u).join("");
}

for (const figure of document.querySelectorAll("figure.plot")) {
  const frame = figure.querySelector(".frame"), plane = figure.querySelector(".plane");
  const content = plane.querySelector(".content"), tip = figure.querySelector(".tip");
  const output = figure.querySelector("output"), whole = figure.querySelector(".whole");
  const series = [...content.querySelectorAll(".series")];
  const zooms = frame.classList.contains("zooms");
  const view = { from: 0, to: FULL };
  const spots = [...content.querySelectorAll("[data-x]")].map((mark) => {
    const title = mark.querySelector("title");
    const text = title.textContent;
    title.remove();  // The browser's own tip would stand beside ours.
    const home = mark.closest(".series");
    return { text, home, x: Number(mark.dataset.x), y: Number(mark.dataset.y) };
  });
  const ring = element(plane, "circle", { class: "spot-ring", r: 6, cx: 0, cy: 0, visibility: "hidden" });
  const drag = element(plane, "rect", { class: "drag", y: 0, height: "100%", width: 0, x: 0, visibility: "hidden" });
  plane.append(drag, ring);
  let picked = null;

  const place = (spot) => {
    const box = plane.getBoundingClientRect();
    return {
      x: (spot.x - view.from) / (view.to - view.from) * box.width,
      y: spot.y / FULL * box.height, box,
    };
  };
  const shown = () => spots.filter((spot) =>
    !spot.home.hasAttribute("visibility") && spot.x >= view.from - 0.5 && spot.x <= view.to + 0.5);

  function pick(spot, aloud) {
    picked = spot;
    tip.hidden = spot === null;
    ring.setAttribute("visibility", spot ? "visible" : "hidden");
    if (!spot) return;
    const { x, y, box } = place(spot);
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    ring.style.stroke = getComputedStyle(spot.home).color;
    tip.textContent = spot.text;
    if (aloud) output.textContent = spot.text;
    const room = frame.getBoundingClientRect();
    const left = box.left - room.left + x, above = box.top - room.top + y;
    tip.style.left = `${Math.max(4, Math.min(left - tip.offsetWidth / 2, room.width - tip.offsetWidth - 4))}px`;
    tip.style.top = above > tip.offsetHeight + 14 ? `${above - tip.offsetHeight - 12}px` : `${above + 14}px`;
  }
  const REACH = 80;  // Pixels that a mouse may be off; a finger has nowhere to hover, and gets the nearest.
  function nearest(event) {
    const box = plane.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = event.type === "pointerdown" ? Infinity : REACH ** 2;
    for (const spot of shown()) {
      const at = place(spot), far = (at.x - x) ** 2 + (at.y - y) ** 2;
      if (far < least) { least = far; best = spot; }
    }
    return best;
  }

  function show(from, to) {
    const span = Math.min(FULL, Math.max(to - from, FULL / 200));
    view.from = Math.min(Math.max((from + to - span) / 2, 0), FULL - span);
    view.to = view.from + span;
    content.setAttribute("viewBox", `${view.from} 0 ${span} ${FULL}`);
    plane.classList.toggle("zoomed", span < FULL);
    whole.hidden = span >= FULL;
    for (const mark of plane.querySelectorAll(".mark[data-x]")) {
      const x = (Number(mark.dataset.x) - view.from) / span * 100;
      mark.setAttribute("visibility", x < 0 || x > 100 ? "hidden" : "visible");
      for (const child of mark.children)
        for (const name of ["x", "x1", "x2"]) if (child.hasAttribute(name)) child.setAttribute(name, `${x}%`);
    }
    along();
    pick(picked && shown().includes(picked) ? picked : null);
  }
  function along() {
    const { scale, unit } = plane.dataset, log = scale === "log";
    const low = Number(plane.dataset.low), high = Number(plane.dataset.high);
    const value = (at) => log ? low * (high / low) ** (at / FULL) : low + (high - low) * at / FULL;
    const share = (v) => log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low);
    const group = plane.querySelector(".along");
    group.replaceChildren();
    for (const tick of ticks(value(view.from), value(view.to), log, unit)) {
      const x = `${(share(tick) * FULL - view.from) / (view.to - view.from) * 100}%`;
      group.append(element(plane, "line", { class: tick === 0 && low < 0 ? "axis" : "grid up", x1: x, x2: x, y1: 0, y2: "100%" }));
      const text = element(plane, "text", { class: "tick", x, y: "100%", dy: 18, "text-anchor": "middle" });
      text.textContent = named(tick, unit);
      group.append(text);
    }
  }

  // A finger's drag along the plot chooses a range, as a mouse's does; across, it scrolls the page.
  let began = null;
  const at = (event) => {
    const box = plane.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - box.left, 0), box.width);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pick(nearest(event), true);
    if (zooms) began = at(event);
  });
  frame.addEventListener("pointermove", (event) => {
    if (began === null || !event.buttons) { pick(nearest(event), false); return; }
    const now = at(event);
    if (Math.abs(now - began) < 8) return;
    if (!frame.hasPointerCapture(event.pointerId)) frame.setPointerCapture(event.pointerId);
    pick(null);
    drag.setAttribute("visibility", "visible");
    drag.setAttribute("x", Math.min(began, now));
    drag.setAttribute("width", Math.abs(now - began));
  });
  const done = (event) => {
    const width = plane.getBoundingClientRect().width, now = at(event);
    drag.setAttribute("visibility", "hidden");
    if (event.type === "pointerup" && began !== null && Math.abs(now - began) >= 8) {
      const span = (view.to - view.from) / width;
      show(view.from + Math.min(began, now) * span, view.from + Math.max(began, now) * span);
    }
    began = null;
  };
  frame.addEventListener("pointerup", done);
  frame.addEventListener("pointercancel", done);
  frame.addEventListener("pointerleave", (event) => {
    if (began === null && event.pointerType === "mouse") pick(null);
  });
  frame.addEventListener("dblclick", () => { if (zooms) show(0, FULL); });
  whole.addEventListener("click", () => show(0, FULL));

  // Along a series with left and right, between series with up and down.
  const order = (list) => [...list].sort((a, b) => a.x - b.x || a.y - b.y);
  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = shown(), keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
    const middle = picked ? picked.x : (view.from + view.to) / 2, span = view.to - view.from;
    if (zooms && event.key === "+") show(middle - span / 4, middle + span / 4);
    else if (zooms && event.key === "-") show(middle - span, middle + span);
    else if (zooms && event.key === "0") show(0, FULL);
    else if (event.key === "Escape") pick(null);
    else if (keys.includes(event.key) && all.length) {
      const lying = plane.classList.contains("of-bars");
      const own = order(all.filter((spot) => spot.home === (picked ?? all[0]).home));
      if (lying) own.sort((a, b) => a.y - b.y);
      const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1;
      if (!picked) pick(own[0], true);
      else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") !== lying) {
        pick(own[Math.min(Math.max(own.indexOf(picked) + step, 0), own.length - 1)], true);
      } else {
        const homes = series.filter((home) => all.some((spot) => spot.home === home));
        const home = homes[Math.min(Math.max(homes.indexOf(picked.home) + step, 0), homes.length - 1)];
        const there = all.filter((spot) => spot.home === home);
        const far = (spot) => lying ? Math.abs(spot.y - picked.y) : Math.abs(spot.x - picked.x);
        pick(there.reduce((a, b) => far(b) < far(a) ? b : a), true);
      }
    } else return;
    event.preventDefault();
  });
  frame.addEventListener("blur", () => pick(null));

  for (const button of figure.querySelectorAll(".key")) button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const home = series[Number(button.dataset.series)];
    if (on) home.removeAttribute("visibility"); else home.setAttribute("visibility", "hidden");
    for (const text of plane.querySelectorAll(`.bar-value[data-series="${button.dataset.series}"]`))
      text.setAttribute("visibility", on ? "visible" : "hidden");
    pick(null);
  });
}
}
