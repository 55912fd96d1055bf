// The tracking page: shows one order and follows it.

import { Problem, call, get, getIfAny, orderPath } from "./api.js";
import { bearer, canSignIn, person, signIn, signOut } from "./auth.js";
import { ask } from "./dialog.js";
import { h, island, parts } from "./dom.js";
import { follow, isFinal } from "./live.js";
import {
  deliveryOf,
  drawDelivery,
  drawEnding,
  drawFooter,
  drawFreshness,
  drawHeadline,
  drawOrder,
  drawOutlook,
  drawSteps,
  endingOf,
  headlineOf,
  orderOf,
  outlookOf,
  stepsOf,
} from "./track-view.js";

const page = document.getElementById("page");
const id = decodeURIComponent(location.pathname.split("/")[2]);
const token = new URLSearchParams(location.search).get("token");
const may = island("config").transitions;
const TICK = 1000;
const MOST_TRIES = 3;

let view = island("order");
let isOwn = false;
let freshness = { state: "loading", heard: null };
let part;

/** The order for somebody signed in who may see it; null when they may not, and the link has to do. */
async function loadSignedIn() {
  if (!person()) return null;
  // Without a link to fall back on, the refusal itself is what there is to say.
  let whole = await (token ? getIfAny : get)(orderPath(id));
  isOwn = whole !== null;
  if (!whole) return null;
  // Two answers make the view: they are asked for again until both tell of the same moment.
  for (let tries = 0; ; tries += 1) {
    const progress = await get(orderPath(id, "/status"));
    if (progress.last_updated === whole.order.updated_at || tries === MOST_TRIES) return { ...whole, progress };
    whole = await get(orderPath(id));
  }
}

const loadByLink = () => call("GET", location.pathname + location.search, { anonymous: true });

async function reload() {
  view = (isOwn || !token ? await loadSignedIn() : null) ?? (await loadByLink());
  draw();
}

// --- what may be done ---

const address = () => view.order.shipping_address;

async function change(method, rest, body) {
  await call(method, orderPath(id, rest), { body });
  await reload();
  listen();
}

const REASON = { name: "reason", label: "Reason (if you like to say)", long: true };
const ADDRESS = [
  ["name", "Name", "name", 100, true],
  ["line1", "Street and number", "address-line1", 200, true],
  ["line2", "Flat, floor, c/o (optional)", "address-line2", 200, false],
  ["city", "City", "address-level2", 100, true],
  ["postal_code", "Postal code", "postal-code", 20, true],
  ["country", "Country", "country-name", 56, true],
];

const IF_CANCELLED = {
  PROCESSING: "A payment has begun. If it is made, you get it back.",
  COMPLETED: "You get back what you paid.",
};

const ACTIONS = [
  {
    allowed: () => may[view.order.status].includes("CANCELLED") && view.progress.overall_status !== "ROLLING_BACK",
    label: "Cancel the order",
    danger: true,
    ask: () => ({
      title: "Cancel this order?",
      words: IF_CANCELLED[view.payment?.status] ?? "You will not be charged.",
      fields: [REASON],
      action: "Cancel the order",
      dismiss: "Keep it",
      danger: true,
      act: (values) => change("POST", "/cancel", values),
    }),
  },
  {
    allowed: () =>
      may[view.order.status].includes("CANCELLED") && !view.shipment && view.progress.overall_status !== "ROLLING_BACK",
    label: "Change the address",
    ask: () => ({
      title: "Where should it go?",
      fields: ADDRESS.map(([name, label, autocomplete, most, required]) => ({
        name,
        label,
        autocomplete,
        most,
        required,
        value: address()[name],
      })),
      action: "Send it there",
      act: (values) => change("PUT", "/address", values),
    }),
  },
  {
    allowed: () => view.order.status === "DELIVERED",
    label: "Return it",
    ask: () => ({
      title: "Return this order?",
      words: "We take the goods back, and you get back what you paid.",
      fields: [REASON],
      action: "Return it",
      dismiss: "Keep it",
      act: (values) => change("POST", "/return", values),
    }),
  },
];

function drawActions(names) {
  if (isOwn) {
    const offered = ACTIONS.filter((action) => names.includes(action.label));
    return offered.length
      ? h(
          "div",
          { class: "row actions" },
          offered.map((action) =>
            h("button", { class: action.danger ? "danger" : "", onclick: () => ask(action.ask()) }, action.label),
          ),
        )
      : null;
  }
  if (!names.length || !canSignIn() || person()) return null;
  return h(
    "p",
    { class: "small quiet actions" },
    "Is this your order? ",
    h("button", { class: "plain", onclick: signIn }, "Sign in"),
    " to change, cancel or return it.",
  );
}

// --- drawing ---

function draw() {
  if (!part) {
    page.replaceChildren();
    part = parts(page);
  }
  document.title = `${headlineOf(view).words} · Order ${view.order.order_id}`;
  drawClock();
  part("steps", stepsOf(view), drawSteps);
  drawEndingNow();
  part("actions", { isOwn, names: ACTIONS.filter((action) => action.allowed()).map((action) => action.label) }, ({ names }) =>
    drawActions(names),
  );
  part("delivery", deliveryOf(view), drawDelivery);
  drawOrderNow();
  part("footer", { id: view.order.order_id, placed: view.order.created_at }, drawFooter);
}

// Their times are named by the day, so that they change at midnight.
const drawEndingNow = () => part("ending", endingOf(view, new Date()), drawEnding);
const drawOrderNow = () => part("order", orderOf(view, new Date()), drawOrder);

/** What changes with time alone. */
function drawTimes() {
  drawClock();
  drawEndingNow();
  drawOrderNow();
}

/** The freshness, and how far away the parcel is. */
function drawClock() {
  const now = new Date();
  const state = freshness.state === "live" && isFinal(view.progress) ? "over" : freshness.state;
  const said = { ...freshness, state, updated: view.progress.last_updated };
  part("freshness", [said, Math.floor(now / TICK)], () => drawFreshness(said, now));
  part("headline", headlineOf(view), drawHeadline);
  part("outlook", outlookOf(view, now), drawOutlook);
}

function drawAccount() {
  const who = person();
  document
    .getElementById("account")
    .replaceChildren(...(who ? [h("span", {}, who.name), h("button", { class: "plain", onclick: signOut }, "Sign out")] : []));
}

function say(title, words, ...more) {
  page.className = "notice";
  page.replaceChildren(h("h1", {}, title), h("p", {}, words), ...more);
}

const signInButton = () => canSignIn() && h("p", {}, h("button", { class: "main", onclick: signIn }, "Sign in"));

function explain(problem) {
  if (problem.status === 404) return say("There is no such order", "Check the address, or the link you were sent.");
  if (problem.status === 403)
    return say(
      "This order belongs to somebody else",
      "Sign in as the person who ordered, or ask them for a tracking link.",
      signOutButton(),
    );
  if (problem.status === 401)
    return say(
      "Sign in to see this order",
      "Or open the tracking link you were sent: it shows the order without signing in.",
      signInButton(),
    );
  return say(
    "We cannot show the order just now",
    problem.message,
    h("p", {}, h("button", { onclick: () => location.reload() }, "Try again")),
  );
}

const signOutButton = () => person() && h("p", {}, h("button", { onclick: signOut }, "Sign in as somebody else"));

// --- following ---

let stop = () => {};

function listen() {
  stop();
  if (isFinal(view.progress)) {
    freshness = { ...freshness, state: "over" };
    return drawClock();
  }
  stop = follow({ request, seen: view.order.version, onNews: reload, poll, onState: told });
}

async function request() {
  const query = !isOwn && token ? `?${new URLSearchParams({ token })}` : "";
  const carried = query ? null : await bearer();
  return { url: orderPath(id, `/status/stream${query}`), headers: carried ? { authorization: `Bearer ${carried}` } : {} };
}

async function poll() {
  await reload();
  return isFinal(view.progress);
}

function told(state, heard) {
  freshness = { state, heard: heard ?? freshness.heard };
  drawClock();
  // The stream has nothing more to say: what is shown from here on is read once more.
  if (state === "over") reload().catch(() => drawClock());
}

async function begin() {
  drawAccount();
  // What the server has put into the page is shown at once; whose it is turns out while it is being looked at.
  if (view) draw();
  try {
    view = (await loadSignedIn()) ?? view;
    if (!view) throw new Problem(401);
  } catch (problem) {
    if (!view) return explain(problem);
  }
  draw();
  listen();
  setInterval(drawTimes, TICK);
}

begin();
