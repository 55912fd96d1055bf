// Analytics of the orders of some days, as small charts that a screen reader reads as tables.

import { getIfAny } from "./api.js";
import { word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { money, span } from "./format.js";

const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });

const PERIODS = [7, 14, 30, 90];
const USUAL = 14;
const dayBefore = (count) => new Date(Date.now() - count * 86400000).toISOString().slice(0, 10);
const summaryOf = (from, to) => getIfAny(`/analytics/summary?${new URLSearchParams({ from, to })}`);

export function show(host, _argument, desk) {
  const part = parts(host);
  const asked = Number(new URLSearchParams(location.hash.split("?")[1]).get("days"));
  const length = PERIODS.includes(asked) ? asked : USUAL;
  part("title", null, () => [h("h1", {}, "Analytics"), periods(length)]);
  return desk.watch(async () => {
    const [summary, lately, before] = await Promise.all([
      desk.summary(),
      summaryOf(dayBefore(length - 1), dayBefore(0)),
      summaryOf(dayBefore(2 * length - 1), dayBefore(length)),
    ]);
    part("missing", summary === null, (missing) =>
      missing ? h("p", { class: "card" }, "This deployment has no analytics.") : null,
    );
    if (!summary || !lately) return;
    part("tiles", [summary.statuses, lately, before], () => tiles(summary, lately, before, length));
    part("counts", summary.statuses, counts);
    part("reasons", lately.cancel_reasons, (list) => reasons(list, length));
    part("conversion", lately.conversion, (stages) => conversion(stages, length));
    part("days", lately.days, days);
    part("times", [lately.statuses, lately.steps], ([statuses, steps]) => times(statuses, steps, length));
  }, 3000);
}

/** The days that are looked at; they stand in the address. */
const periods = (length) =>
  h(
    "nav",
    { class: "statuses", "aria-label": "Period" },
    PERIODS.map((one) =>
      h("a", { href: `#/analytics?days=${one}`, "aria-current": one === length ? "true" : null }, `Last ${one} days`),
    ),
  );

const tile = (label, value, trend) =>
  h("div", { class: "card tile" }, h("dt", {}, label), h("dd", {}, value), trend && h("dd", { class: "trend" }, trend));

function tiles(summary, lately, before, length) {
  const open = summary.statuses.filter((one) => ["PENDING", "CONFIRMED", "PROCESSING", "SHIPPED"].includes(one.status));
  const against = (name, said) => before?.orders_placed > 0 && `${said(lately[name], before[name])} the ${length} days before`;
  const number = (now, then) => (then ? `${change.format(now / then - 1)} on ${then} in` : `none in`);
  const share = (_now, then) => `${percent.format(then)} in`;
  return h(
    "dl",
    { class: "tiles" },
    tile("Open now", String(open.reduce((sum, one) => sum + one.count, 0))),
    tile("Orders placed", String(lately.orders_placed), against("orders_placed", number)),
    tile("Cancelled", percent.format(lately.cancel_rate), against("cancel_rate", share)),
    tile("Returned", percent.format(lately.return_rate), against("return_rate", share)),
    tile("Payments failed", String(lately.payment_failures), against("payment_failures", number)),
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

const row = (name, drawn, ...figures) =>
  h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "drawn" }, drawn), h("td", { class: "number quiet" }, figures));

function counts(statuses) {
  const most = Math.max(1, ...statuses.map((one) => one.count));
  return chart(
    "All orders by status now, and what they are worth on average",
    ["Status", "Orders", "Mean value"],
    statuses.map((one) =>
      row(
        word(one.status),
        [bar(one.count / most, one.status.toLowerCase()), h("span", {}, String(one.count))],
        one.mean_order_value ? `⌀ ${money(one.mean_order_value)}` : "–",
      ),
    ),
  );
}

function reasons(list, length) {
  const known = list.filter((one) => one.count).toSorted((one, other) => other.count - one.count);
  const all = known.reduce((sum, one) => sum + one.count, 0);
  if (!all) return null;
  return chart(
    `Why orders were cancelled in the last ${length} days`,
    ["Reason", "Orders", "Share"],
    known.map((one) =>
      row(
        word(one.reason.toUpperCase()),
        [bar(one.count / all, "cancelled"), h("span", {}, String(one.count))],
        percent.format(one.count / all),
      ),
    ),
  );
}

function conversion(stages, length) {
  const left = stages.filter((one) => one.left);
  if (!left.length) return null;
  return chart(
    `Of the orders that left a stage in the last ${length} days, the share that continued`,
    ["Stage", "Share", "Orders"],
    left.map((one) =>
      row(
        word(one.status),
        [bar(one.rate, one.status.toLowerCase()), h("span", {}, percent.format(one.rate))],
        `${one.went_on} of ${one.left}`,
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
        row(
          h("time", { datetime: one.date }, one.date),
          [bar(one.orders_placed / most), h("span", {}, String(one.orders_placed))],
          `${one.entered.DELIVERED} delivered, ${one.entered.CANCELLED} cancelled, ${one.entered.RETURNED} returned`,
        ),
      ),
  );
}

function times(statuses, steps, length) {
  const lasted = [
    ...statuses
      .filter((one) => one.time_in_status)
      .map((one) => ({ name: `As ${word(one.status).toLowerCase()}`, ...one.time_in_status })),
    ...steps.map((one) => ({ name: one.step, ...one })),
  ];
  if (!lasted.length) return null;
  const longest = Math.max(...lasted.map((one) => one.p95_seconds));
  return chart(
    `How long it took in the last ${length} days: mean and 95th percentile`,
    ["Stage", "Mean and 95th percentile", "In words"],
    lasted.map((one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, one.name),
        h("td", { class: "drawn range" }, bar(one.p95_seconds / longest, "far"), bar(one.mean_seconds / longest)),
        h(
          "td",
          { class: "number" },
          `mean ${span(one.mean_seconds)}`,
          h("span", { class: "quiet" }, `, 95th percentile ${span(one.p95_seconds)}`),
        ),
      ),
    ),
  );
}
