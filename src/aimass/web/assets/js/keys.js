// The keyboard: places, filter, rows, the sheet of keys.
import { setRail } from "./actions.js";
import { isTyping } from "./page.js";
import { openPalette } from "./palette.js";

const FOLLOW_MS = 1_200;
let goingSince = 0;

const single = {
  "/": () => document.querySelector("[data-filter]")?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  "[": () => setRail(document.body.dataset.rail === "narrow" ? "wide" : "narrow"),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: () => focusedRow()?.querySelector('input[type="checkbox"]')?.click(),
  e: () => document.querySelector("[data-edit]")?.click(),
  Enter: () => focusedRow()?.dataset.href && location.assign(focusedRow().dataset.href),
};

function rows() {
  return [...document.querySelectorAll("main .table tbody tr")];
}

function focusedRow() {
  return document.querySelector("main .table tr.is-focus");
}

function moveRow(step) {
  const all = rows();
  if (!all.length) return;
  const old = focusedRow();
  const at = Math.min(all.length - 1, Math.max(0, old ? all.indexOf(old) + step : 0));
  old?.classList.remove("is-focus");
  all[at].classList.add("is-focus");
  all[at].scrollIntoView({ block: "nearest" });
}

function pressed(event) {
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (Date.now() - goingSince < FOLLOW_MS) {
    goingSince = 0;
    const link = document.querySelector(`.rail [data-key="${CSS.escape(event.key)}"]`);
    if (link) location.assign(link.href);
    return;
  }
  if (event.key === "g") {
    goingSince = Date.now();
    return;
  }
  if (event.key === "Enter" && event.target !== document.body && event.target.id !== "main") return;
  if (single[event.key]) {
    event.preventDefault();
    single[event.key]();
  }
}

export function startKeys() {
  document.addEventListener("keydown", pressed);
}
