// Orders as a file for a spreadsheet.

import { get } from "./api.js";
import { h } from "./dom.js";
import { money } from "./format.js";

const MOST_PAGES = 50;
const COLUMNS = {
  order_id: (order) => order.order_id,
  customer_id: (order) => order.customer_id,
  external_id: (order) => order.external_id,
  status: (order) => order.status,
  items: (order) => order.items.map((item) => `${item.quantity} x ${item.name}`).join("; "),
  total: (order) => money(order.total),
  created_at: (order) => order.created_at,
  updated_at: (order) => order.updated_at,
};

/** A cell; a text that a spreadsheet would take for a formula is kept from being one. */
function cell(value) {
  const text = String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Orders as CSV, with a line of names first. */
export const csv = (orders) =>
  [Object.keys(COLUMNS), ...orders.map((order) => Object.values(COLUMNS).map((value) => value(order)))]
    .map((row) => `${row.map(cell).join(",")}\r\n`)
    .join("");

/** Every order behind a query of the API, page by page, newest first; at most 5,000. */
async function all(path) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const answer = await get(`${path}${more}`);
    found.push(...answer.orders);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return found;
}

/** A button that saves what a query of the API finds. */
export function exportButton(path) {
  const press = async (click) => {
    const button = click.target;
    button.disabled = true;
    try {
      const file = URL.createObjectURL(new Blob([csv(await all(path))], { type: "text/csv" }));
      h("a", { href: file, download: "orders.csv" }).click();
      URL.revokeObjectURL(file);
      button.textContent = "Save as CSV";
    } catch (problem) {
      button.textContent = problem.message;
    } finally {
      button.disabled = false;
    }
  };
  return h("button", { "data-key": "csv", onclick: press }, "Save as CSV");
}
