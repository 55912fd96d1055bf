// What is done to several orders at once: they are picked in the list, and each is asked for by itself.

import { call, orderPath } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";

const REASON = { name: "reason", label: "Reason (goes on each order's history)", long: true };
const ACTIONS = [
  {
    label: "Cancel orders",
    path: "/cancel",
    words: "Completed steps are undone: payments are refunded, stock is released.",
    danger: true,
  },
  { label: "Approve", path: "/approve", words: "Those in review go on; the others refuse." },
  { label: "Hold", path: "/hold", words: "Nothing is charged or handed over until they are released.", required: true },
  { label: "Release", path: "/release", words: "Those on hold go on.", fields: [] },
];

/** The picked orders of a list: `changed` is called when there are others. */
export function selection(changed) {
  const picked = new Set();

  const box = (id) =>
    h("input", {
      type: "checkbox",
      "aria-label": `Pick ${id}`,
      "data-key": `pick ${id}`,
      checked: picked.has(id),
      onchange: (event) => {
        if (event.target.checked) picked.add(id);
        else picked.delete(id);
        changed();
      },
    });

  const act = (action) => async (values) => {
    const refused = [];
    for (const id of [...picked]) {
      try {
        await call("POST", orderPath(id, action.path), { body: values });
        picked.delete(id);
      } catch (problem) {
        refused.push(`${id}: ${problem.message}`);
      }
    }
    changed();
    if (refused.length) throw new Error(`${refused.length} refused. ${refused.slice(0, 5).join(" ")}`);
  };

  const button = (action) =>
    h(
      "button",
      {
        class: action.danger ? "danger" : null,
        "data-key": `bulk ${action.label}`,
        onclick: () =>
          ask({
            title: `${action.label}: ${picked.size}?`,
            words: action.words,
            fields: action.fields ?? [{ ...REASON, required: action.required }],
            action: action.label,
            danger: action.danger,
            act: act(action),
          }),
      },
      action.label,
    );

  const bar = () =>
    picked.size
      ? h(
          "div",
          { class: "row bulk", role: "group", "aria-label": "Picked orders" },
          h("span", {}, `${picked.size} picked`),
          ACTIONS.map(button),
        )
      : null;

  return { box, bar, ids: () => [...picked] };
}
