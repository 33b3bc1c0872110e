// Clicks of the shell: menus, dialogs, theme, rail, copying, tabs inside a card.
import { cookie, recall, remember, say } from "./page.js";
import { openPalette } from "./palette.js";

const deeds = {
  "toggle-rail": () => setRail(document.body.dataset.rail === "narrow" ? "wide" : "narrow"),
  "toggle-density": () => setDensity(document.body.dataset.density === "compact" ? "normal" : "compact"),
  "open-palette": openPalette,
  "open-keys": () => document.getElementById("keys").showModal(),
  "close-dialog": (button) => button.closest("dialog").close(),
  "go-back": () => history.back(),
  "set-theme": (button) => setTheme(button.dataset.value),
  "open-workspace": (link) => {
    document.cookie = `workspace=${link.dataset.slug}; path=/; SameSite=Lax; Max-Age=31536000`;
  },
};

export function setRail(width) {
  document.body.dataset.rail = width;
  remember("rail", width);
}

function setDensity(density) {
  document.body.dataset.density = density;
  remember("density", density);
}

function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.getAttribute("aria-label");
  button.classList.add("is-done");
  button.setAttribute("aria-label", say("Copied"));
  setTimeout(() => {
    button.classList.remove("is-done");
    button.setAttribute("aria-label", label);
  }, 1_500);
}

function openRow(event, row) {
  if (event.target.closest("a, button, input, label, summary, select")) return;
  if (window.getSelection().toString()) return;
  if (event.ctrlKey || event.metaKey) window.open(row.dataset.href);
  else location.assign(row.dataset.href);
}

function choose(tab) {
  const box = tab.closest("[data-tabs]");
  for (const other of box.querySelectorAll('[role="tab"]')) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function moveTab(event) {
  const tab = event.target.closest?.('[data-tabs] [role="tab"]');
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !step) return;
  const all = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  const next = all[(all.indexOf(tab) + step + all.length) % all.length];
  choose(next);
  next.focus();
}

function clicked(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || event.target.closest(".menu-item")) menu.open = false;
  }
  const deed = event.target.closest("[data-do]");
  if (deed) deeds[deed.dataset.do]?.(deed, event);
  const copied = event.target.closest("[data-copy]");
  if (copied) copy(copied);
  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog).showModal();
  const tab = event.target.closest('[data-tabs] [role="tab"]');
  if (tab) choose(tab);
  const row = event.target.closest("tr[data-href]");
  if (row) openRow(event, row);
  if (event.target instanceof HTMLDialogElement) event.target.close();
}

export function startActions() {
  document.addEventListener("click", clicked);
  document.addEventListener("keydown", moveTab);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  if (recall("rail") === "narrow") document.body.dataset.rail = "narrow";
  if (recall("density") === "compact") document.body.dataset.density = "compact";
  if (cookie("theme")) setTheme(cookie("theme"));
}
