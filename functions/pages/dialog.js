// Asking before something is done: a dialog with a few fields, which stays open and says why when it is refused.

import { h } from "./dom.js";
import { language, t } from "./language.js";

function control(field) {
  const shared = {
    name: field.name,
    required: field.required,
    maxlength: field.most ?? 500,
    autocomplete: field.autocomplete ?? "off",
    dir: "auto",
  };
  if (field.choices) {
    return h(
      "select",
      { name: field.name },
      field.choices.map((choice) => h("option", { value: choice }, choice)),
    );
  }
  if (field.long) {
    const area = h("textarea", { ...shared, rows: 2 });
    area.value = field.value ?? "";
    return area;
  }
  const input = h("input", { ...shared, type: field.type ?? "text", min: field.min, max: field.max });
  input.value = field.value ?? "";
  return input;
}

const given = (form) =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));

/** What is wrong with a field: in the API's own language its words, else the field by its label. */
function faultOf({ field, message }, fields) {
  const label = fields.find(({ name }) => name === field.split(".").at(-1))?.label ?? field;
  return language === "en" ? `${label}: ${message}` : t("problem.field", { field: label });
}

/**
 * Asks, and does it: `act(values)` is called with the fields' values, empty ones left out. Resolves to true when it was
 * done, to false when the dialog was dismissed.
 */
export function ask({ title, words, fields = [], action, danger = false, dismiss = t("not_now"), act }) {
  return new Promise((resolve) => {
    const alert = h("p", { class: "alert", role: "alert", hidden: true });
    const go = h("button", { class: danger ? "main danger" : "main" }, action);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      words && h("p", {}, words),
      fields.map((field) => h("label", {}, field.label, control(field))),
      alert,
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => dialog.close() }, dismiss), go),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let done = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        await act(given(form));
        done = true;
        dialog.close();
      } catch (problem) {
        alert.textContent = [problem.message, ...(problem.fields ?? []).map((field) => faultOf(field, fields))].join(" ");
        alert.hidden = false;
        go.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
