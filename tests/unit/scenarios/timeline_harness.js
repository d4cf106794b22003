// Runs the script of timeline.html without a browser: a document and a canvas that take notes.
// Usage: node timeline_harness.js PAGE; prints what was drawn and said after each key, as JSON.
"use strict";
const fs = require("fs");
const vm = require("vm");
const html = fs.readFileSync(process.argv[2], "utf8");
const scripts = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((found) => found[1]);

let drawn = [];
const pen = new Proxy({}, {
  get: (own, name) => own[name] ?? ((...args) => {
    for (const arg of args) if (typeof arg === "number" && !Number.isFinite(arg)) throw new Error(`${name}(${args})`);
    if (name === "fillText") drawn.push(String(args[0]));
    return { width: 40 };
  }),
  set: (own, name, value) => { own[name] = value; return true; },
});

class Element {
  constructor(tag) {
    Object.assign(this, { tag, children: [], style: {}, dataset: {}, listeners: {}, text: "", value: "",
      clientWidth: 1000, clientHeight: 2000, scrollTop: 0, offsetTop: 0, hidden: false });
    this.classList = { add: (name) => { this.className = name; } };
  }
  set textContent(text) { this.text = String(text); }
  get textContent() { return this.text + this.children.map((child) => child.textContent).join(" "); }
  append(...made) { this.children.push(...made); }
  replaceChildren(...made) { this.children = made; this.text = ""; }
  addEventListener(name, act) { this.listeners[name] = act; }
  setAttribute(name, value) { this[name] = value; }
  removeAttribute(name) { delete this[name]; }
  scrollIntoView() {}
  remove() {}
  focus() {}
  getContext() { return pen; }
  getBoundingClientRect() { return { left: 0, top: 0 }; }
  setPointerCapture() {}
  querySelector(wanted) {
    const all = (one) => one.children.flatMap((child) => [child, ...all(child)]);
    return all(this).find((one) => "." + one.className === wanted) ?? null;
  }
}
const known = {};
const byId = (id) => (known[id] ??= new Element(id));
byId("data").text = scripts[0];
const jumps = [...html.matchAll(/data-violation="\d+" data-chapter="(\d+)"/g)].map((found) => {
  const button = new Element("button");
  button.dataset.chapter = found[1];
  return button;
});
const document = {
  getElementById: byId,
  createElement: (tag) => new Element(tag),
  documentElement: new Element("html"),
  body: new Element("body"),
  addEventListener() {},
  dispatchEvent() {},
  querySelectorAll: (wanted) => (wanted === ".jump" ? jumps : []),
};
let frames = [];
const world = {
  document, console, JSON, Math, Map, Set, Object, Number, location: { hash: process.argv[3] ?? "" },
  requestAnimationFrame: (act) => frames.push(act),
  getComputedStyle: () => ({ color: "#123456" }),
  matchMedia: () => ({ addEventListener() {} }),
  Event,
  ResizeObserver: class { observe() {} },
};
world.window = world;
world.innerWidth = world.innerHeight = 1000;

const seen = {};
function note(name) {
  drawn = [];
  const due = frames;
  frames = [];
  due.forEach((act) => act());
  seen[name] = { drawn, details: byId("details").textContent, count: byId("count").textContent,
    tip: byId("tip").textContent, scroll: byId("view").scrollTop };
}
vm.runInNewContext(scripts[1], world);
note("start");
const press = (key) => byId("view").listeners.keydown({ key, preventDefault() {} });
for (const key of ["0", "n", "p", "+", "-", "ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp", ".", ","]) {
  press(key);
  note(key);
}
press("0");
note("fit");
const pointer = byId("canvas").listeners;
let found = 0;
for (let y = 0; y < 1000; y += 7) {
  for (let x = 0; x < 1000; x += 5) {
    byId("tip").text = "";
    pointer.pointermove({ clientX: x, clientY: y });
    if (byId("tip").text) found += 1;
  }
}
seen.hovered = found;
const search = byId("search");
search.value = process.argv[4] ?? "nothing of this name";
search.listeners.input({});
note("search");
process.stdout.write(JSON.stringify(seen));
