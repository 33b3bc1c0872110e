// The console's one entry: htmx, the shell's behaviour, and the heavy parts on demand.
import htmx from "htmx.org";
import { startActions } from "./actions.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startPalette } from "./palette.js";
import { startShares } from "./shares.js";
import { startSql } from "./sql.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";

const parts = [
  ["[data-chart]", () => import("./charts.js")],
  ["[data-log]", () => import("./islands/log.js")],
  ["[data-lineage]", () => import("./islands/lineage.js")],
];

// Starts the rich parts that are inside `root`; called for the page and for each part that htmx brings.
async function bringToLife(root) {
  for (const [selector, load] of parts) {
    const found = [...root.querySelectorAll(selector)];
    if (root.matches?.(selector)) found.push(root);
    if (found.length === 0) continue;
    const { start } = await load();
    for (const element of found) {
      if (!element.dataset.started) {
        element.dataset.started = "yes";
        start(element);
      }
    }
  }
}

startToasts();
startActions();
startForms(htmx);
startKeys();
startTimes();
startPalette();
startShares();
startSql();
startLive(htmx);
bringToLife(document.body);
document.addEventListener("htmx:after:swap", (event) => bringToLife(event.detail.ctx?.target ?? document.body));
document.documentElement.dataset.ready = "yes";
