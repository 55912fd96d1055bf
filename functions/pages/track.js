// The tracking page: shows one order and follows it.

import { Problem, call, get, getIfAny, orderPath } from "./api.js";
import { bearer, canSignIn, person, signIn, signOut } from "./auth.js";
import { h, island, parts } from "./dom.js";
import { pieces, t } from "./language.js";
import { follow, isFinal } from "./live.js";
import { drawRefunds, refundsOf } from "./refunds.js";
import { cancelButton, drawReturns, returnsOf } from "./returns.js";
import { actionsOf, drawActions } from "./track-actions.js";
import {
  deliveryOf,
  drawDelivery,
  drawEnding,
  drawFooter,
  drawFreshness,
  drawHeadline,
  drawLanguages,
  drawOrder,
  drawOutlook,
  drawPay,
  drawSteps,
  endingOf,
  headlineOf,
  orderOf,
  outlookOf,
  payOf,
  stepsOf,
} from "./track-view.js";

const page = document.getElementById("page");
const id = decodeURIComponent(location.pathname.split("/")[2]);
const token = new URLSearchParams(location.search).get("token");
const TICK = 1000;
const MOST_TRIES = 3;

let view = island("order");
let isOwn = false;
let freshness = { state: "loading", heard: null };
let part;

/** The order for a signed-in person who may read it; null otherwise, and the link's view is shown. */
async function loadSignedIn() {
  if (!person()) return null;
  // Without a link, the refusal itself is shown.
  let whole = await (token ? getIfAny : get)(orderPath(id));
  isOwn = whole !== null;
  if (!whole) return null;
  // Two responses make the view: they are asked for again until both are of the same version.
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

async function change(method, rest, body) {
  await call(method, orderPath(id, rest), { body });
  await reload();
  listen();
}

// --- drawing ---

function draw() {
  if (!part) {
    page.replaceChildren();
    part = parts(page);
  }
  // Support sees what the owner sees, and has ordered nothing.
  view.isOwn = isOwn && person()?.subject === view.order.customer_id;
  document.title = t("order.title", { headline: headlineOf(view).words, order: view.order.order_id });
  drawClock();
  part("pay", payOf(view), drawPay);
  part("steps", stepsOf(view), drawSteps);
  drawEndingNow();
  part("actions", { isOwn, names: actionsOf(view) }, ({ names }) =>
    isOwn ? drawActions(names, () => view, change) : offerSignIn(names),
  );
  part("returns", [returnsOf(view), isOwn], ([data]) =>
    drawReturns(data, t("returns"), (one) => isOwn && cancelButton(one, change)),
  );
  part("refunds", refundsOf(view), (data) => drawRefunds(data, t("refunds")));
  part("delivery", deliveryOf(view), drawDelivery);
  drawOrderNow();
  part("footer", { id: view.order.order_id, placed: view.order.created_at }, drawFooter);
  part("languages", null, drawLanguages);
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
    .replaceChildren(
      ...(who ? [h("span", {}, who.name), h("button", { class: "plain", onclick: signOut }, t("sign_out"))] : []),
    );
}

function say(title, words, ...more) {
  page.className = "notice";
  page.replaceChildren(h("h1", {}, title), h("p", {}, words), ...more.filter(Boolean));
}

const signInButton = () => canSignIn() && h("p", {}, h("button", { class: "main", onclick: signIn }, t("sign_in")));

function explain(problem) {
  if (problem.status === 404) return say(t("refused.404.title"), t("refused.404.words"));
  if (problem.status === 403) return say(t("sign_in.foreign.title"), t("sign_in.foreign.words"), signOutButton());
  if (problem.status === 401) return say(t("sign_in.needed.title"), t("sign_in.needed.words"), signInButton());
  const again = h("button", { onclick: () => location.reload() }, t("error.again"));
  return say(t("error.title"), problem.message, h("p", {}, again));
}

const signOutButton = () => person() && h("p", {}, h("button", { onclick: signOut }, t("sign_in.another")));

/** For a reader who is not signed in, where the owner could change something. */
function offerSignIn(names) {
  if (!names.length || !canSignIn() || person()) return null;
  return h(
    "p",
    { class: "small quiet actions" },
    pieces("owner.offer", { link: h("button", { class: "plain", onclick: signIn }, t("sign_in")) }),
  );
}

// --- following ---

let stop = () => {};

function listen() {
  stop();
  if (isFinal(view.progress)) {
    freshness = { ...freshness, state: "over" };
    return drawClock();
  }
  stop = follow({ request, seen: view.order.version, onChange: reload, poll, onState: showState });
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

function showState(state, heard) {
  freshness = { state, heard: heard ?? freshness.heard };
  drawClock();
  // The stream has ended: the order is read once more.
  if (state === "over") reload().catch(() => drawClock());
}

async function begin() {
  drawAccount();
  // The data in the page is shown at once; the owner's view is loaded after that.
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
