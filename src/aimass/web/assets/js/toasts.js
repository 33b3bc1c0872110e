// Toasts: what an action did, what went wrong, and the way back.
import { cookie, element, say } from "./page.js";

const SHOWN_MS = 6_000;
const UNDO_MS = 8_000;

// Shows a toast: {text, hint, facts: [[label, value]], tone: ok|bad|info, link: {href, text}, details, undo}. `undo` is a function, or the address
// that takes the action back by POST; it makes the toast stay 8 s.
export function toast({ text, hint, facts = [], tone = "ok", link, details, undo }) {
  const made = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  made.classList.add(`is-${tone}`);
  const sign = made.querySelector(tone === "bad" ? ".sign-bad" : ".sign-ok").firstElementChild;
  made.querySelectorAll(".sign-ok, .sign-bad").forEach((place) => place.remove());
  made.prepend(sign);
  made.querySelector(".text").append(text, ...(hint ? [element("div", { class: "hint" }, hint)] : []));
  if (facts.length) made.querySelector(".text").append(factList(facts));
  const tools = made.querySelector(".tools");
  if (link) tools.append(element("a", { href: link.href }, link.text ?? say("Open")));
  if (details) tools.append(copyButton(details));
  if (undo) tools.append(element("button", { type: "button", onclick: () => (made.remove(), typeof undo === "string" ? takeBack(undo) : undo()) }, say("Undo")));
  if (!tools.children.length) tools.remove();
  made.querySelector(".close").addEventListener("click", () => made.remove());
  if (tone === "bad") made.setAttribute("role", "alert");
  document.getElementById("toasts").append(made);
  if (tone !== "bad") setTimeout(() => made.remove(), undo ? UNDO_MS : SHOWN_MS);
  return made;
}

function factList(facts) {
  return element("dl", { class: "told" }, ...facts.flatMap(([label, value]) => [element("dt", {}, label), element("dd", { lang: "en" }, value)]));
}

async function takeBack(address) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers:inherited")), "HX-Request": "true", Accept: "text/html" };
  const answer = await fetch(address, { method: "POST", headers });
  if (!answer.ok) problemToast(await answer.json().catch(() => null), answer.status);
  else document.body.dispatchEvent(new CustomEvent("refresh", { bubbles: true }));
}

function copyButton(details) {
  const copy = async (event) => {
    await navigator.clipboard.writeText(details);
    event.target.textContent = say("Copied");
  };
  return element("button", { type: "button", onclick: copy }, say("Copy details"));
}

// Tells about a problem document (RFC 9457), or about an answer that is none.
export function problemToast(problem, status) {
  const { told, ...plain } = problem ?? { status };
  const text = told?.text ?? plain.detail ?? plain.title ?? `${say("Request failed")} (${status})`;
  toast({ text, hint: told ? told.hint : plain.hint, facts: factsOf(told), tone: "bad", details: JSON.stringify(plain, null, 1) });
}

// What stands behind a sentence in another language: the English one, and the value.
export function factsOf(told) {
  if (!told?.detail) return [];
  const rows = [["In English", told.detail], ["Field", told.field], ["Value", told.value], ["Allowed", told.allowed]];
  return rows.filter(([, value]) => value).map(([label, value]) => [say(label), value]);
}

export function startToasts() {
  document.addEventListener("toast", (event) => toast(event.detail));
  const waiting = cookie("aimass_toast");
  if (!waiting) return;
  document.cookie = "aimass_toast=; Max-Age=0; path=/";
  const bytes = Uint8Array.from(atob(waiting.replaceAll('"', "").replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  toast(JSON.parse(new TextDecoder().decode(bytes)));
}
