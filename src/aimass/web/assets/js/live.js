// The live channel: one WebSocket per tab. The page says what it shows, the server sends what changed.
//
//   data-live="topic:field"           text of the field            data-live-width="topic:field"   width of the first child, 0..1
//   data-live="topic:field:percent"   the field as a share
//   data-live-title="topic:field"     the field as a share in front of the page's title
//   data-live-refresh="topic topic"   the part asks for itself again (with hx-get), at most once in 1.5 s
//
// A topic is "<workspace>/<kind>:<id>" and may hold colons; the field is what follows the last one ("percent" aside).
// Other modules listen for the event "live" on the document: detail = {topic, seq, data}.
import { percent, short } from "./numbers.js";
import { words } from "./page.js";

const BANNER_MS = 2_000;
const REFRESH_MS = 1_500;
const LONGEST_MS = 15_000;
const plainTitle = document.title;
const seen = new Map();
const extra = new Map();
let socket, htmx, attempt = 0, bannerTimer, followed = new Set(), waiting = new Map();

export function follow(topic) {
  extra.set(topic, (extra.get(topic) ?? 0) + 1);
  update();
}

function split(binding) {
  const asPercent = binding.endsWith(":percent");
  const bare = asPercent ? binding.slice(0, -8) : binding;
  const cut = bare.lastIndexOf(":");
  return { topic: bare.slice(0, cut), field: bare.slice(cut + 1), asPercent };
}

function wanted() {
  const topics = new Set(extra.keys());
  for (const name of ["data-live", "data-live-width", "data-live-title"]) {
    for (const part of document.querySelectorAll(`[${name}]`)) topics.add(split(part.getAttribute(name)).topic);
  }
  for (const part of document.querySelectorAll("[data-live-refresh]")) {
    part.dataset.liveRefresh.split(/\s+/).forEach((topic) => topics.add(topic));
  }
  for (const part of document.querySelectorAll("[data-live-chart]")) topics.add(part.dataset.liveChart);
  topics.delete("");
  return topics;
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// Brings the subscriptions in line with the page; a hidden tab follows nothing.
function update() {
  const target = document.hidden ? new Set() : wanted();
  const sub = [...target].filter((topic) => !followed.has(topic));
  const unsub = [...followed].filter((topic) => !target.has(topic));
  if (sub.length && !socket) connect();
  if (sub.length) send({ sub, seq: Object.fromEntries(sub.filter((t) => seen.has(t)).map((t) => [t, seen.get(t)])) });
  if (unsub.length) send({ unsub });
  if (socket?.readyState === WebSocket.OPEN) followed = target;
}

function connect() {
  const address = new URL(document.body.dataset.liveUrl ?? "/api/v1/live", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(address);
  socket.addEventListener("open", opened);
  socket.addEventListener("message", (event) => received(JSON.parse(event.data)));
  socket.addEventListener("close", closed);
}

function opened() {
  const again = attempt > 0;
  attempt = 0;
  clearTimeout(bannerTimer);
  bannerTimer = undefined;
  banner(false);
  followed = new Set();
  update();
  if (again) refreshAll();
}

function closed(event) {
  socket = undefined;
  followed = new Set();
  if (event.code === 1008) return;
  attempt += 1;
  bannerTimer ??= setTimeout(() => banner(true), BANNER_MS);
  const pause = Math.min(LONGEST_MS, 250 * 2 ** Math.min(attempt, 6));
  setTimeout(connect, pause * (0.5 + Math.random() / 2));
}

function banner(shown) {
  const place = document.getElementById("offline");
  if (place) place.hidden = !shown;
}

function received({ topic, seq, data }) {
  seen.set(topic, seq);
  patch(topic, data ?? {});
  for (const part of document.querySelectorAll("[data-live-refresh]")) {
    if (part.dataset.liveRefresh.split(/\s+/).includes(topic)) refreshSoon(part);
  }
  document.dispatchEvent(new CustomEvent("live", { detail: { topic, seq, data } }));
}

function patch(topic, data) {
  each("data-live", topic, data, (part, value, asPercent) => {
    const text = asPercent ? percent(value) : typeof value === "number" ? short(value) : stage(String(value));
    if (part.textContent !== text) part.textContent = text;
  });
  each("data-live-width", topic, data, (part, value) => {
    part.firstElementChild.style.width = `${value * 100}%`;
    part.setAttribute("aria-valuenow", Math.round(value * 100));
  });
  each("data-live-title", topic, data, (part, value) => {
    document.title = value < 1 ? `${percent(value)} ${plainTitle}` : plainTitle;
  });
}

// A stage of a job ("fold 3") in the language of the page; numbers in it stay.
function stage(text) {
  const told = words.stages?.[text.replace(/\d+/g, "%(n)s")];
  const numbers = text.match(/\d+/g) ?? [];
  return told ? told.replace(/%\(\w+\)s/g, () => numbers.shift() ?? "") : text;
}

function each(name, topic, data, change) {
  for (const part of document.querySelectorAll(`[${name}]`)) {
    const binding = split(part.getAttribute(name));
    const value = binding.topic === topic ? data[binding.field] : undefined;
    if (value !== undefined && value !== null) change(part, value, binding.asPercent);
  }
}

function refreshSoon(part) {
  if (waiting.has(part)) return;
  waiting.set(part, setTimeout(() => {
    waiting.delete(part);
    if (part.isConnected) htmx.trigger(part, "refresh-part");
  }, REFRESH_MS));
}

function refreshAll() {
  document.querySelectorAll("[data-live-refresh]").forEach((part) => htmx.trigger(part, "refresh-part"));
}

export function startLive(library) {
  htmx = library;
  update();
  document.addEventListener("visibilitychange", () => {
    update();
    if (!document.hidden) refreshAll();
  });
  document.addEventListener("htmx:after:swap", update);
}
