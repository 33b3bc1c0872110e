// A log that follows: fetches what is new, filters by level, searches, jumps to the first error.
import { follow } from "../live.js";
import { element, say } from "../page.js";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const KEPT = 5_000;
const POLL_MS = 3_000;

export function start(box) {
  const log = new Log(box);
  log.fetch();
  if (box.dataset.logTopic) {
    follow(box.dataset.logTopic);
    document.addEventListener("live", ({ detail }) => detail.topic === box.dataset.logTopic && log.fetch());
  }
  const timer = setInterval(() => (box.isConnected ? document.hidden || log.done || log.fetch() : clearInterval(timer)), POLL_MS);
}

class Log {
  lines = [];
  after = 0;
  busy = false;
  done = false;

  constructor(box) {
    this.url = box.dataset.log;
    this.pane = box.querySelector(".log-lines");
    this.level = box.querySelector("[data-log-level]");
    this.search = box.querySelector("[data-log-search]");
    this.following = box.querySelector("[data-log-follow]");
    this.level.addEventListener("change", () => this.draw());
    this.search.addEventListener("input", () => this.draw());
    this.following.addEventListener("change", () => this.toEnd());
    this.pane.addEventListener("wheel", (event) => event.deltaY < 0 && (this.following.checked = false), { passive: true });
    box.querySelector("[data-log-error]").addEventListener("click", () => this.toError());
    this.pane.append(element("div", { class: "log-none" }, say("Waiting for lines")));
  }

  async fetch() {
    if (this.busy) return;
    this.busy = true;
    try {
      const separator = this.url.includes("?") ? "&" : "?";
      const answer = await fetch(`${this.url}${separator}after=${this.after}`, { headers: { Accept: "application/json" } });
      if (answer.ok) this.take(await answer.json());
    } finally {
      this.busy = false;
    }
  }

  take({ lines, done }) {
    this.done = Boolean(done);
    if (!lines.length) {
      if (this.done && !this.lines.length) this.nothing();
      return;
    }
    this.after = lines.at(-1).n;
    this.lines = [...this.lines, ...lines].slice(-KEPT);
    this.draw(lines);
  }

  // A log that ended without a line takes no room.
  nothing() {
    this.pane.replaceChildren(element("div", { class: "log-none" }, say("Wrote nothing")));
    this.pane.style.height = "auto";
  }

  shown(line) {
    const least = LEVELS.indexOf(this.level.value);
    const needle = this.search.value.toLowerCase();
    return Math.max(0, LEVELS.indexOf(line.level ?? "info")) >= least && (!needle || line.text.toLowerCase().includes(needle));
  }

  draw(added) {
    const fresh = added && this.pane.querySelector(".log-line") ? added : this.lines;
    const made = fresh.filter((line) => this.shown(line)).map((line) => this.row(line));
    if (fresh === this.lines) this.pane.replaceChildren(...made);
    else this.pane.append(...made);
    if (!this.pane.children.length) this.pane.append(element("div", { class: "log-none" }, say("No lines")));
    while (this.pane.children.length > KEPT) this.pane.firstChild.remove();
    this.toEnd();
  }

  row(line) {
    const level = line.level ?? "info";
    return element(
      "div", { class: `log-line is-${level}`, id: `log-${line.n}` },
      element("span", { class: "no" }, String(line.n)),
      element("span", { class: "at" }, line.at ? new Date(line.at).toLocaleTimeString("en-GB") : ""),
      element("span", { class: "level" }, level === "info" ? "" : level),
      this.text(line.text),
    );
  }

  text(text) {
    const needle = this.search.value.toLowerCase();
    const at = needle ? text.toLowerCase().indexOf(needle) : -1;
    if (at < 0) return element("span", { class: "msg" }, text);
    const end = at + needle.length;
    return element("span", { class: "msg" }, text.slice(0, at), element("mark", {}, text.slice(at, end)), text.slice(end));
  }

  toEnd() {
    if (this.following.checked) this.pane.scrollTop = this.pane.scrollHeight;
  }

  toError() {
    this.following.checked = false;
    this.pane.querySelector(".is-error, .is-critical")?.scrollIntoView({ block: "center" });
  }
}
