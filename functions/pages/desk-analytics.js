// Analytics of all orders, as small charts that a screen reader reads as tables.

import { getIfAny } from "./api.js";
import { word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { money, span } from "./format.js";

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const DAYS = 14;
const dayBefore = (count) => new Date(Date.now() - count * 86400000).toISOString().slice(0, 10);

export function show(host, _argument, desk) {
  const part = parts(host);
  part("title", null, () => h("h1", {}, "Analytics"));
  return desk.watch(async () => {
    const [summary, lately] = await Promise.all([desk.summary(), getIfAny(`/analytics/summary?from=${dayBefore(DAYS - 1)}`)]);
    part("missing", summary === null, (missing) =>
      missing ? h("p", { class: "card" }, "This deployment has no analytics.") : null,
    );
    if (!summary) return;
    part("tiles", [summary.orders_placed, summary.cancel_rate, summary.payment_failures, summary.statuses], () =>
      tiles(summary),
    );
    part("counts", summary.statuses, counts);
    if (lately) part("conversion", lately.conversion, conversion);
    if (lately) part("days", lately.days, days);
    part("times", [summary.statuses, summary.steps], ([statuses, steps]) => times(statuses, steps));
  }, 3000);
}

const tile = (label, value) => h("div", { class: "card tile" }, h("dt", {}, label), h("dd", {}, value));

function tiles(summary) {
  const open = summary.statuses.filter((one) => ["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED"].includes(one.status));
  return h(
    "dl",
    { class: "tiles" },
    tile("Orders placed", String(summary.orders_placed)),
    tile("Open now", String(open.reduce((sum, one) => sum + one.count, 0))),
    tile("Cancelled", percent.format(summary.cancel_rate)),
    tile("Payments failed", String(summary.payment_failures)),
  );
}

const bar = (share, kind = "") =>
  h("span", { class: `barline ${kind}`, "--share": String(Math.max(0, Math.min(1, share))), "aria-hidden": "true" });

function chart(title, heads, rows) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, title),
    h(
      "table",
      { class: "chart" },
      h(
        "thead",
        { class: "unseen" },
        h(
          "tr",
          {},
          heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

function counts(statuses) {
  const most = Math.max(1, ...statuses.map((one) => one.count));
  return chart(
    "Orders by status, and what they are worth on average",
    ["Status", "Orders", "Mean value"],
    statuses.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, word(one.status)),
        h("td", { class: "drawn" }, bar(one.count / most, one.status.toLowerCase()), h("span", {}, String(one.count))),
        h("td", { class: "number quiet" }, one.mean_order_value ? `⌀ ${money(one.mean_order_value)}` : "–"),
      ),
    ),
  );
}

function conversion(stages) {
  const left = stages.filter((one) => one.left);
  if (!left.length) return null;
  return chart(
    `Of the orders that left a stage in the last ${DAYS} days, the share that continued`,
    ["Stage", "Share", "Orders"],
    left.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, word(one.status)),
        h("td", { class: "drawn" }, bar(one.rate, one.status.toLowerCase()), h("span", {}, percent.format(one.rate))),
        h("td", { class: "number quiet" }, `${one.went_on} of ${one.left}`),
      ),
    ),
  );
}

function days(list) {
  const most = Math.max(1, ...list.map((one) => one.orders_placed));
  return chart(
    "Orders placed by day (UTC), and what became of orders on it",
    ["Day", "Placed", "Delivered, cancelled, returned"],
    list
      .toReversed()
      .map((one) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("time", { datetime: one.date }, one.date)),
          h("td", { class: "drawn" }, bar(one.orders_placed / most), h("span", {}, String(one.orders_placed))),
          h(
            "td",
            { class: "number quiet" },
            `${one.entered.DELIVERED} delivered, ${one.entered.CANCELLED} cancelled, ${one.entered.RETURNED} returned`,
          ),
        ),
      ),
  );
}

function times(statuses, steps) {
  const lasted = [
    ...statuses
      .filter((one) => one.time_in_status)
      .map((one) => ({ name: `As ${word(one.status).toLowerCase()}`, ...one.time_in_status })),
    ...steps.map((one) => ({ name: one.step, ...one })),
  ];
  if (!lasted.length) return null;
  const longest = Math.max(...lasted.map((one) => one.p95_seconds));
  return chart(
    "How long it takes: mean and 95th percentile",
    ["Stage", "Mean and 95th percentile", "In words"],
    lasted.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, one.name),
        h("td", { class: "drawn range" }, bar(one.p95_seconds / longest, "far"), bar(one.mean_seconds / longest)),
        h("td", { class: "number" }, span(one.mean_seconds), h("span", { class: "quiet" }, ` ≤ ${span(one.p95_seconds)}`)),
      ),
    ),
  );
}
