// Requests: confirmation, errors at the field or as a toast, parts that refresh after an action, files to drop.
import { element, say } from "./page.js";
import { factsOf, problemToast, toast } from "./toasts.js";

const DONE = 204;

export function startForms(htmx) {
  document.addEventListener("htmx:confirm", ask);
  document.addEventListener("htmx:config:request", (event) => clearErrors(event.detail.ctx.sourceElement));
  document.addEventListener("htmx:response:error", (event) => showProblem(event.detail.ctx));
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (ctx.response?.status === DONE) ctx.sourceElement?.closest?.("dialog[open]")?.close();
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.error?.name === "TypeError") toast({ text: say("Offline"), tone: "bad" });
  });
  document.addEventListener("refresh", () => {
    document.querySelectorAll("[data-refresh]").forEach((part) => htmx.trigger(part, "refresh-part"));
  });
  startDropping();
}

function ask(event) {
  const { ctx, issueRequest, dropRequest } = event.detail;
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  const typed = ctx.sourceElement.dataset.typed;
  const box = document.getElementById("confirm-typed");
  const input = box.querySelector("input");
  const yes = document.getElementById("confirm-yes");
  document.getElementById("confirm-text").textContent = ctx.confirm;
  document.getElementById("confirm-name").textContent = typed ?? "";
  yes.classList.toggle("is-danger", Boolean(typed));
  yes.classList.toggle("is-primary", !typed);
  box.hidden = !typed;
  input.value = "";
  input.oninput = () => (yes.disabled = Boolean(typed) && input.value !== typed);
  input.oninput();
  dialog.returnValue = "no";
  dialog.onclose = () => (dialog.returnValue === "yes" ? issueRequest() : dropRequest());
  dialog.showModal();
  (typed ? input : yes).focus();
}

function showProblem(ctx) {
  let problem = null;
  try {
    problem = JSON.parse(ctx.text);
  } catch {
    problem = null;
  }
  const form = ctx.sourceElement?.closest?.("form[data-form]");
  const field = problem?.field && form?.querySelector(`[data-field="${CSS.escape(problem.field)}"]`);
  if (field) showAtField(field, problem);
  else problemToast(problem, ctx.response?.status);
}

function showAtField(field, problem) {
  const input = field.querySelector("input, select, textarea");
  const id = `${input.id || input.name}-error`;
  const { text, hint } = problem.told ?? { text: problem.detail, hint: problem.hint };
  const behind = factsOf(problem.told).filter(([label]) => label !== say("Field")).map(([label, value]) => element("span", { class: "behind" }, `${label}: `, element("span", { lang: "en" }, value)));
  field.append(element("span", { class: "error", id, role: "alert" }, hint ? `${text} (${hint})` : text, ...behind));
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), id].filter(Boolean).join(" "));
  input.focus();
}

function clearErrors(source) {
  const form = source?.closest?.("form[data-form]");
  form?.querySelectorAll(".field .error").forEach((error) => error.remove());
  form?.querySelectorAll('[aria-invalid="true"]').forEach((input) => {
    input.removeAttribute("aria-invalid");
    const kept = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && !id.endsWith("-error"));
    if (kept.length) input.setAttribute("aria-describedby", kept.join(" "));
    else input.removeAttribute("aria-describedby");
  });
}

function startDropping() {
  const place = (event) => event.target.closest?.("[data-drop]");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      const drop = place(event);
      if (!drop) return;
      event.preventDefault();
      drop.classList.toggle("is-over", name === "dragover");
      if (name === "drop") {
        const input = drop.querySelector("input");
        input.files = event.dataTransfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }
    });
  }
  document.addEventListener("change", (event) => {
    const drop = place(event);
    if (drop && event.target.files?.length) {
      drop.querySelector("[data-drop-name]").textContent = [...event.target.files].map((file) => file.name).join(", ");
    }
  });
}
