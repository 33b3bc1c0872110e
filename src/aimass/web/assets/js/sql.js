// The editor of queries: Ctrl+Enter runs, a click puts names in, an answer is leafed through, a file is fetched.
import { download } from "./page.js";
import { problemToast } from "./toasts.js";

export function startSql() {
  document.addEventListener("keydown", run);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => showPlace(ctx));
  document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => carry(ctx));
}

const editor = () => document.querySelector(".sql-editor");

function run(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches?.(".sql-editor")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
}

function clicked(event) {
  const button = event.target.closest?.("[data-sql-put], [data-sql-open], [data-sql-file], [data-page-step]");
  if (!button) return;
  if (button.dataset.sqlPut) putIn(button.dataset.sqlPut);
  else if (button.dataset.sqlOpen) open(button.dataset.sqlOpen);
  else if (button.dataset.sqlFile) fetchFile(button);
  else leaf(button);
}

function putIn(text) {
  const area = editor();
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.focus();
}

function open(text) {
  const area = editor();
  area.value = text;
  area.focus();
  area.scrollIntoView({ block: "center" });
}

// The dialog that saves a query takes the text of the editor.
function carry(ctx) {
  const form = ctx.sourceElement?.closest?.("form[data-sql-save]");
  if (!form) return;
  for (const name of ["sql", "parameters"]) ctx.request.body.set(name, document.getElementById(name).value);
}

async function fetchFile(button) {
  const { at, sqlFile } = button.dataset;
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers:inherited")), "HX-Request": "true", Accept: "text/html" };
  const body = new FormData(document.querySelector("[data-sql-form]"));
  body.set("file_format", sqlFile);
  const answer = await fetch(at, { method: "POST", headers, body });
  if (answer.ok) download(`answer.${sqlFile}`, await answer.blob());
  else problemToast(await answer.json().catch(() => null), answer.status);
}

function leaf(button) {
  const box = button.closest("[data-pages]");
  const pages = [...box.querySelectorAll("tbody")];
  const now = pages.findIndex((page) => !page.hidden);
  const next = Math.min(pages.length - 1, Math.max(0, now + Number(button.dataset.pageStep)));
  pages.forEach((page, at) => (page.hidden = at !== next));
  box.querySelector("[data-page-shown]").textContent = `${next + 1} / ${pages.length}`;
}

// Marks the place that an error names.
function showPlace(ctx) {
  const area = ctx.sourceElement?.closest?.("form")?.querySelector(".sql-editor");
  const place = /line (\d+), column (\d+)/.exec(ctx.text ?? "");
  if (!area || !place) return;
  const lines = area.value.split("\n").slice(0, Number(place[1]) - 1);
  const at = lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(place[2]) - 1;
  const word = /^\w*/.exec(area.value.slice(at))[0].length || 1;
  area.setSelectionRange(at, at + word);
}
