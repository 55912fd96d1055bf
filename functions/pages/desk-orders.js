// Orders by status, with live counts; what needs attention first; search.

import { Problem, get, getIfAny, orderPath } from "./api.js";
import { selection } from "./desk-bulk.js";
import { exportButton } from "./desk-csv.js";
import { table } from "./desk-list.js";
import { offerSample } from "./desk-sample.js";
import { PAYMENT_STATUSES, STATUSES, orderHref, shortId, statusPill, word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, full, money } from "./format.js";

const PAGE = 25;
const MOST_ASKED = 4;
const OLDEST_FIRST = "created_at";
const query = (values) => `/orders?${new URLSearchParams(Object.entries(values).filter(([, value]) => value))}`;

export function show(host, argument, desk) {
  const asked = new URLSearchParams(location.hash.split("?")[1]);
  const status = STATUSES.includes(asked.get("status")) ? asked.get("status") : null;
  const wanted = asked.get("q")?.trim() || null;
  const days = { from: dayOf(asked.get("from")), until: dayOf(asked.get("until")) };
  const paid = PAYMENT_STATUSES.includes(asked.get("payment")) ? asked.get("payment") : null;
  const sort = asked.get("sort") === OLDEST_FIRST ? OLDEST_FIRST : null;
  const filters = {
    status,
    payment_status: paid,
    created_after: startOf(days.from),
    created_before: startOf(days.until, 1),
    sort,
  };
  const cursors = [null, asked.get("cursor")].slice(0, asked.has("cursor") ? 2 : 1);
  const picked = selection(() => load());
  const part = parts(host);

  part("title", status, () => [
    h("h1", {}, "Orders"),
    searchForm(wanted),
    filtersForm(asked, { ...days, payment: paid, sort }),
    exportButton(query({ ...filters, limit: 100 })),
    offerSample(""),
  ]);

  async function load() {
    const cursor = cursors.at(-1);
    const [summary, overdue, found] = await Promise.all([
      desk.summary(),
      wanted ? null : getIfAny(query({ overdue: "true", limit: 50 })),
      wanted ? search(wanted) : pageOf(filters, cursor),
    ]);
    const counts = summary ? Object.fromEntries(summary.statuses.map((one) => [one.status, one.count])) : await countByHand();
    const late = overdue?.orders ?? [];
    part("tabs", { counts, status, wanted, kept: asked.toString() }, drawTabs);
    part("attention", late, drawAttention);
    part("bulk", picked.ids(), picked.bar);
    const more = found.next_cursor ?? null;
    const why = { empty: isEmpty(counts), wanted, status, isPart: Boolean(paid || days.from || days.until || more) };
    part("list", { orders: found.orders, ...why, picked: picked.ids() }, drawList);
    part("pages", { more, depth: cursors.length }, drawPages);
  }

  function drawPages({ more, depth }) {
    if (!more && depth === 1) return null;
    const turn = (change) => {
      change();
      const next = new URLSearchParams(asked);
      if (cursors.at(-1)) next.set("cursor", cursors.at(-1));
      else next.delete("cursor");
      history.replaceState(null, "", `#/?${next}`);
      load();
    };
    const [back, on] = sort ? ["Older", "Newer"] : ["Newer", "Older"];
    return h(
      "div",
      { class: "row pages" },
      h("button", { disabled: depth === 1, onclick: () => turn(() => cursors.pop()) }, back),
      h("button", { disabled: !more, onclick: () => turn(() => cursors.push(more)) }, on),
    );
  }

  const drawList = ({ orders, ...why }) => table(orders, { kind: "orders", columns: pickable, empty: emptyFor(why) });
  const pickable = [
    { ...COLUMNS[0], cell: (order) => [picked.box(order.order_id), " ", COLUMNS[0].cell(order)] },
    ...COLUMNS.slice(1),
  ];

  return desk.watch(load);
}

/** A page of the list. By payment the API looks at so many orders at a time: it is asked on while the page is not full. */
async function pageOf(filters, cursor) {
  const orders = [];
  let next = cursor;
  const most = filters.payment_status ? MOST_ASKED : 1;
  for (let asked = 0; asked < most && orders.length < PAGE; asked += 1) {
    const found = await get(query({ ...filters, limit: PAGE - orders.length, cursor: next }));
    orders.push(...found.orders);
    next = found.next_cursor;
    if (!next) break;
  }
  return { orders, next_cursor: next };
}

const isEmpty = (counts) => Object.values(counts).every((count) => !count);

/** Without analytics: the orders on one page of each status. */
async function countByHand() {
  const pages = await Promise.all(STATUSES.map((status) => get(query({ status, limit: 100 }))));
  return Object.fromEntries(pages.map((page, place) => [STATUSES[place], page.next_cursor ? "100+" : page.orders.length]));
}

// Customers' ids may have any characters; those of a path would lead elsewhere.
const ORDER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const LATEST = 3;

/** Of the newest few hundred orders those whose id begins or ends so: what people read out of an order is its end. */
async function byPartOfId(wanted) {
  const part = wanted.replace(/^…/, "");
  const found = [];
  let cursor = null;
  for (let page = 0; page < LATEST; page += 1) {
    const answer = await get(query({ limit: 100, cursor }));
    found.push(...answer.orders.filter(({ order_id: id }) => id.startsWith(part) || id.endsWith(part)));
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  return found;
}

/** The order of that id, and the orders of the customer, external id, parcel or e-mail address of that name; each once. */
async function search(wanted) {
  const [order, ...lists] = await Promise.all([
    ORDER_ID.test(wanted) ? get(orderPath(wanted)).catch(missing) : null,
    get(query({ customer_id: wanted, limit: 100 })).catch(missing),
    get(query({ external_id: wanted, limit: 100 })).catch(missing),
    get(query({ tracking_number: wanted, limit: 100 })).catch(missing),
    wanted.includes("@") ? get(query({ email: wanted, limit: 100 })).catch(missing) : null,
  ]);
  const found = [...(order ? [order.order] : []), ...lists.flatMap((list) => list?.orders ?? [])];
  const orders = found.length || !/^…?[\w.-]{4,}$/.test(wanted) ? found : await byPartOfId(wanted);
  return { orders: [...new Map(orders.map((one) => [one.order_id, one])).values()], next_cursor: null };
}

const dayOf = (text) => (/^\d{4}-\d\d-\d\d$/.test(text ?? "") ? text : null);

/** The beginning of a day, as the person at the desk has it, so many days later; null without a day. */
function startOf(day, later = 0) {
  if (!day) return null;
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** Which orders are listed, by their days and their payment, and in which order; all of it stands in the address. */
function filtersForm(asked, chosen) {
  const change = (name) => (event) => {
    const next = new URLSearchParams(asked);
    next.delete("cursor");
    if (event.target.value) next.set(name, event.target.value);
    else next.delete(name);
    location.hash = `#/?${next}`;
  };
  const field = (name, label) =>
    h(
      "label",
      { class: "small" },
      label,
      h("input", { type: "date", name, value: chosen[name] ?? "", onchange: change(name) }),
    );
  const choice = (name, label, options) =>
    h(
      "label",
      { class: "small" },
      label,
      h(
        "select",
        { name, onchange: change(name) },
        options.map(([value, words]) => h("option", { value, selected: value === (chosen[name] ?? "") }, words)),
      ),
    );
  return h(
    "div",
    { class: "row days" },
    field("from", "Placed from "),
    field("until", "to "),
    choice("payment", "Payment ", [["", "Any"], ...PAYMENT_STATUSES.map((one) => [one, word(one)])]),
    choice("sort", "Sorted ", [
      ["", "newest first"],
      [OLDEST_FIRST, "oldest first"],
    ]),
  );
}

function missing(problem) {
  if (problem instanceof Problem && [400, 404].includes(problem.status)) return null;
  throw problem;
}

function searchForm(wanted) {
  const field = h("input", {
    type: "search",
    name: "q",
    placeholder: "Order or its end, customer, external id, e-mail, parcel",
    "aria-label": "Search by order, customer, external id, e-mail or tracking number",
    value: wanted ?? "",
  });
  const form = h("form", { role: "search", class: "search" }, field, h("button", {}, "Search"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = field.value.trim() ? `#/?${new URLSearchParams({ q: field.value.trim() })}` : "#/";
  });
  return form;
}

function drawTabs({ counts, status, wanted, kept }) {
  const whole = Object.values(counts).every((count) => typeof count === "number");
  const all = whole ? Object.values(counts).reduce((sum, count) => sum + count, 0) : null;
  const tab = (href, label, count, current) =>
    h(
      "a",
      { href, "aria-current": current ? "true" : null },
      label,
      count !== null && h("span", { class: "count" }, String(count)),
    );
  return h(
    "nav",
    { class: "statuses", "aria-label": "Orders by status" },
    tab(tabHref(kept, null), "All", all, !status && !wanted),
    STATUSES.map((one) => tab(tabHref(kept, one), word(one), counts[one] ?? 0, one === status)),
  );
}

/** The list of a status, in the same order and of the same days and payments. */
function tabHref(kept, status) {
  const next = new URLSearchParams(kept);
  for (const name of ["q", "cursor", "status"]) next.delete(name);
  if (status) next.set("status", status);
  return next.size ? `#/?${next}` : "#/";
}

function drawAttention(orders) {
  if (!orders.length) return null;
  return h(
    "section",
    { class: "card attention" },
    h("h2", {}, `${orders.length === 1 ? "One order is" : `${orders.length} orders are`} overdue`),
    h(
      "p",
      { class: "small quiet" },
      "Their next step did not happen in time. The sweep checks them every minute; open one to repair it at once.",
    ),
    table(orders, { kind: "orders", columns: COLUMNS }),
  );
}

const COLUMNS = [
  {
    head: "Order",
    cell: ({ order_id: id }) => h("a", { href: orderHref(id), title: id }, h("code", {}, shortId(id))),
  },
  {
    head: "Customer",
    cell: ({ customer_id: id }) => h("a", { class: "calm", href: `#/?${new URLSearchParams({ q: id })}` }, id),
  },
  { head: "Status", cell: (order) => [statusPill(order.status), " ", isInReview(order) && reviewPill()] },
  { head: "Items", kind: "items", cell: ({ items }) => itemsInWords(items) },
  { head: "Total", kind: "number", cell: (order) => money(order.total) },
  { head: "Changed", cell: ({ updated_at: at }) => h("time", { datetime: at, title: full(at) }, ago(at)) },
];

const isInReview = (order) => order.status === "PENDING" && order.approval?.status === "PENDING";
const reviewPill = () => h("span", { class: "pill wait" }, "In review");

function itemsInWords([first, ...more]) {
  const words = `${first.quantity} × ${first.name}`;
  return more.length ? `${words} and ${more.length} more` : words;
}

/** The text of an empty list of orders. */
function emptyFor({ empty, wanted, status, isPart }) {
  if (wanted) return ["Nothing is found for ", h("strong", {}, wanted), "."];
  if (empty) return firstVisit();
  if (isPart) return "There are no such orders here.";
  return status ? `No order is ${word(status).toLowerCase()} now.` : "There are no orders.";
}

function firstVisit() {
  return h(
    "section",
    { class: "card welcome" },
    h("h2", {}, "No orders yet"),
    h("p", {}, "Orders are placed with ", h("code", {}, "POST /orders"), " (see ", h("a", { href: "/docs" }, "the API"), ")."),
    offerSample("main", "Or place a sample order here and follow it:"),
  );
}
