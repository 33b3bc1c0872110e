// Ctrl K: one box for every page, object and action. Pages come with the page, the rest from the server.
import { element, recall, remember, say } from "./page.js";

const WAIT_MS = 120;
const RECENT = "recent";
let box, input, list, timer, asked;
let chosen = 0;

export function openPalette() {
  if (!box || box.open) return;
  input.value = "";
  box.showModal();
  input.focus();
  show();
}

function pages(text) {
  const index = JSON.parse(document.getElementById("pages-index").textContent);
  const needle = text.toLowerCase();
  return index
    .filter((page) => `${page.area} ${page.title}`.toLowerCase().includes(needle))
    .map((page) => ({ title: page.title, sub: page.area, href: page.href, icon: page.icon }));
}

function recent() {
  return JSON.parse(recall(RECENT) ?? "[]");
}

function visit(item) {
  const kept = recent().filter((other) => other.href !== item.href);
  remember(RECENT, JSON.stringify([{ title: item.title, sub: item.sub, href: item.href, icon: item.icon }, ...kept].slice(0, 6)));
  box.close();
  location.assign(item.href);
}

async function found(text) {
  asked?.abort();
  asked = new AbortController();
  try {
    const query = new URLSearchParams({ q: text });
    const answer = await fetch(`/console/search?${query}`, { signal: asked.signal, headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : [];
  } catch (error) {
    if (error.name === "AbortError") return null;
    return [];
  }
}

async function show() {
  const text = input.value.trim();
  const onlyPages = text.startsWith(">");
  const words = onlyPages ? text.slice(1).trim() : text;
  const local = pages(words).slice(0, text ? 6 : 40);
  draw(text ? [["Pages", local]] : [["Recent", recent()], ["Pages", local]]);
  if (!words || onlyPages) return;
  const hits = await found(words);
  if (hits) draw([["Results", hits], ["Pages", local]]);
}

function draw(groups) {
  list.replaceChildren();
  chosen = 0;
  let number = 0;
  for (const [title, items] of groups) {
    if (!items.length) continue;
    list.append(element("li", { class: "group", role: "presentation" }, say(title)));
    for (const item of items) list.append(entry(item, number++));
  }
  if (!number) list.append(element("li", { class: "group", role: "presentation" }, say("Nothing found")));
  mark();
}

function entry(item, number) {
  const row = element("li", { class: "palette-item", role: "option", id: `palette-${number}`, "data-href": item.href });
  if (item.icon) row.innerHTML = item.icon;
  row.append(element("span", { class: "ellipsis" }, item.title), element("span", { class: "end nowrap" }, item.sub ?? ""));
  row.addEventListener("click", () => visit(item));
  row.addEventListener("mousemove", () => {
    if (chosen !== number) {
      chosen = number;
      mark();
    }
  });
  return row;
}

function mark() {
  const options = [...list.querySelectorAll('[role="option"]')];
  options.forEach((option, at) => option.setAttribute("aria-selected", at === chosen));
  if (options[chosen]) {
    input.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
}

function pressed(event) {
  const options = list.querySelectorAll('[role="option"]');
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) {
    event.preventDefault();
    chosen = (chosen + step + options.length) % options.length;
    mark();
  } else if (event.key === "Enter") {
    event.preventDefault();
    options[chosen]?.click();
  }
}

export function startPalette() {
  box = document.getElementById("palette");
  if (!box) return;
  input = box.querySelector("input");
  list = document.getElementById("palette-list");
  input.addEventListener("keydown", pressed);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, WAIT_MS);
  });
}
