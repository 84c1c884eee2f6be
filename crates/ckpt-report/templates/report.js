"use strict";
(() => {
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const make = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
document.documentElement.classList.add("js");

// Everything in a section opened or closed at once.
for (const section of all("[data-folds]")) {
  const folds = () => all("details", section).filter((fold) => !fold.classList.contains("children"));
  if (folds().length < 2) continue;
  const button = (text, open) => {
    const made = make("button", { type: "button", textContent: text });
    made.addEventListener("click", () => folds().forEach((fold) => { fold.open = open; }));
    return made;
  };
  section.querySelector("h2").after(make("div", { className: "tools folds" }, button("Open all", true), button("Close all", false)));
}

// Filters: of table rows, of findings, of processes. What does not have the words is hidden; a process keeps its ancestors.
const filter = (list) => {
  const items = list.tagName === "TABLE" ? Array.from(list.tBodies[0].rows) : list.tagName === "UL" ? all("li", list) : Array.from(list.children);
  if (items.length < 8) return;
  const what = list.dataset.filter;
  const count = make("output", {});
  const input = make("input", { type: "search", placeholder: "Filter " + what, autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", "Filter " + what);
  let texts = null;
  const apply = () => {
    const own = (item) => (item.tagName === "LI" ? item.firstElementChild : item).textContent.toLowerCase();
    texts = texts || items.map(own);
    const words = input.value.toLowerCase().split(" ").filter(Boolean);
    let shown = 0;
    const hits = items.filter((item, at) => {
      const hit = words.every((word) => texts[at].includes(word));
      item.hidden = !hit;
      shown += hit ? 1 : 0;
      return hit;
    });
    if (list.tagName === "UL" && words.length) {
      for (const hit of hits) {
        for (let up = hit.parentElement; up && up !== list; up = up.parentElement) {
          if (up.tagName === "LI") up.hidden = false;
        }
      }
    }
    count.textContent = words.length ? shown + " of " + items.length : "";
  };
  input.addEventListener("input", apply);
  const place = list.closest(".scroll") || list;
  const own = place.parentElement.querySelector(":scope > .tools.folds");
  if (own) own.append(input, count);
  else place.before(make("div", { className: "tools" }, input, count));
};
all("[data-filter]").forEach(filter);

// A link to something that is folded away opens it.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();

// On paper nothing is folded but the tables of mappings, which are drawn above each.
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open]):not(.table)");
  closed.forEach((fold) => { fold.open = true; });
});
addEventListener("afterprint", () => {
  closed.forEach((fold) => { fold.open = false; });
  closed = [];
});

// Where the reader is.
const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
const here = () => {
  let last = null;
  for (const [id, link] of links) {
    const section = document.getElementById(id);
    if (section && (last === null || section.getBoundingClientRect().top < 120)) last = link;
    link.classList.remove("here");
    link.removeAttribute("aria-current");
  }
  if (!last) return;
  last.classList.add("here");
  last.setAttribute("aria-current", "true");
};
let waiting = false;
addEventListener("scroll", () => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; here(); });
}, { passive: true });
here();

// The timeline: marks know their time, and are put where the window has it.
const lanes = document.getElementById("lanes");
if (lanes) {
  const number = (name) => Number(lanes.dataset[name]);
  const [left, right, height] = [number("left"), number("right"), lanes.viewBox.baseVal.height];
  const first = { from: number("from"), to: number("to") };
  const whole = { from: Math.min(number("first"), first.from), to: Math.max(number("last"), first.to) };
  const marks = all(".mark", lanes);
  const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000, 31536000, 157680000, 1576800000, 15768000000];
  let view = first;
  const told = make("output", {});
  const shape = (name, attributes) => {
    const made = document.createElementNS(lanes.namespaceURI, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    return made;
  };
  const iso = (time) => { const date = new Date(time); return isNaN(date) ? "" : date.toISOString(); };
  const axis = () => {
    all(".tick, .tick-name", lanes).forEach((tick) => tick.remove());
    const step = steps.find((step) => (view.to - view.from) / 1000 / step <= 7);
    if (!step) return;
    for (let time = (Math.floor(view.from / 1000 / step) + 1) * step * 1000; time <= view.to; time += step * 1000) {
      const x = left + (right - left) * (time - view.from) / (view.to - view.from);
      if (x > right - 60) break;
      const text = shape("text", { class: "tick-name", x: x + 3, y: 17 });
      text.textContent = (step < 60 ? iso(time).slice(11, 19) : step < 86400 ? iso(time).slice(5, 16) : iso(time).slice(0, 10)).replace("T", " ");
      lanes.insertBefore(shape("rect", { class: "tick", x, y: 20, width: 0.8, height: height - 26 }), marks[0]);
      lanes.insertBefore(text, marks[0]);
    }
  };
  const draw = (from, to) => {
    const length = Math.max(1000, Math.min(to - from, whole.to - whole.from));
    from = Math.max(whole.from, Math.min(from, whole.to - length));
    view = { from, to: from + length };
    let shown = 0;
    for (const mark of marks) {
      const time = Number(mark.dataset.time);
      const inside = time >= view.from && time <= view.to;
      mark.setAttribute("visibility", inside ? "visible" : "hidden");
      if (inside) mark.setAttribute("x", left + (right - left) * (time - view.from) / length);
      shown += inside ? 1 : 0;
    }
    axis();
    told.textContent = iso(view.from).slice(0, 19) + "Z to " + iso(view.to).slice(0, 19) + "Z, " + shown + " of " + marks.length + " moments";
  };
  const zoom = (factor, at = 0.5) => {
    const length = view.to - view.from;
    const middle = view.from + length * at;
    draw(middle - length * factor * at, middle + length * factor * (1 - at));
  };
  const move = (part) => {
    const length = view.to - view.from;
    draw(view.from + length * part, view.to + length * part);
  };
  const actions = [
    ["+", "Zoom in", () => zoom(0.5)], ["−", "Zoom out", () => zoom(2)],
    ["←", "Earlier", () => move(-0.5)], ["→", "Later", () => move(0.5)],
    ["Container", "The life of the container", () => draw(first.from, first.to)],
    ["Everything", "All events", () => draw(whole.from, whole.to)],
  ];
  const buttons = actions.map(([text, label, act]) => {
    const button = make("button", { type: "button", textContent: text, title: label });
    button.setAttribute("aria-label", label);
    button.addEventListener("click", act);
    return button;
  });
  const box = lanes.parentElement;
  box.before(make("div", { className: "tools" }, ...buttons, told));
  box.addEventListener("keydown", (event) => {
    const act = { "+": 0, "=": 0, "-": 1, ArrowLeft: 2, ArrowRight: 3, 0: 4 }[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[act][2]();
  });
  // What is drawn over with the pointer is zoomed to.
  const part = (event) => {
    const frame = lanes.getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width * lanes.viewBox.baseVal.width;
    return Math.max(0, Math.min(1, (x - left) / (right - left)));
  };
  let start = null;
  let selection = null;
  lanes.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    start = part(event);
    selection = shape("rect", { class: "selection", x: left, y: 20, width: 0, height: height - 26 });
    lanes.append(selection);
    lanes.setPointerCapture(event.pointerId);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const [low, high] = [Math.min(start, part(event)), Math.max(start, part(event))];
    selection.setAttribute("x", left + (right - left) * low);
    selection.setAttribute("width", (right - left) * (high - low));
  });
  const end = (event) => {
    if (start === null) return;
    const [low, high] = [Math.min(start, part(event)), Math.max(start, part(event))];
    start = null;
    selection.remove();
    const length = view.to - view.from;
    if (event.type === "pointerup" && high - low > 0.01) draw(view.from + length * low, view.from + length * high);
  };
  lanes.addEventListener("pointerup", end);
  lanes.addEventListener("pointercancel", end);
  draw(first.from, first.to);
}
})();
