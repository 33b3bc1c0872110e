// Ages such as "4 m ago" go on; the exact moment, in the reader's zone, is the tooltip.
import { words } from "./page.js";

const STEPS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"],
];

export function age(then, now = Date.now()) {
  const seconds = (now - then) / 1_000;
  const [length, unit] = STEPS.find(([step]) => Math.abs(seconds) >= step) ?? STEPS[3];
  const amount = Math.floor(Math.abs(seconds) / length);
  if (unit === "s" && amount < 5) return words.now;
  return words[seconds < 0 ? "in" : "ago"][unit].replace("-1", amount);
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const then = new Date(time.dateTime);
    time.textContent = age(then.getTime());
    if (!time.dataset.zoned) {
      time.dataset.zoned = "yes";
      time.title = then.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
    }
  }
}

export function startTimes() {
  refresh();
  setInterval(refresh, 10_000);
  document.addEventListener("htmx:after:swap", refresh);
}
