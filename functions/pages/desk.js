// Support's desk: which view is open, who is signed in, and what all views share.

import { getIfAny } from "./api.js";
import { canSignIn, person, signIn, signOut } from "./auth.js";
import { listen } from "./desk-keys.js";
import { h } from "./dom.js";

const page = document.getElementById("page");
const nav = document.getElementById("tabs");

/** Staff are support and admins: what support may see, admins may too. */
const STAFF = ["support", "admin"];

/** The views, loaded when first opened: each has `show(host, argument, desk)`, which returns a function that stops it. */
const VIEWS = {
  "": { label: "Orders", load: () => import("./desk-orders.js"), groups: STAFF },
  order: { load: () => import("./desk-order.js"), groups: STAFF },
  reviews: { label: "Reviews", load: () => import("./desk-reviews.js"), groups: STAFF },
  shipping: { label: "To ship", load: () => import("./desk-shipping.js"), groups: STAFF },
  returns: { label: "Returns", load: () => import("./desk-returns.js"), groups: STAFF },
  shortages: { label: "Shortages", load: () => import("./desk-shortages.js"), groups: STAFF },
  disputes: { label: "Disputes", load: () => import("./desk-disputes.js"), groups: STAFF },
  products: { label: "Products", load: () => import("./desk-products.js"), groups: STAFF },
  analytics: { label: "Analytics", load: () => import("./desk-analytics.js"), groups: STAFF },
  webhooks: { label: "Webhooks", load: () => import("./desk-webhooks.js"), groups: ["admin"] },
};

const who = person();
const belongs = (groups) => groups.some((group) => who?.groups.includes(group));

/** The view that opens where the address names none, or one that this person may not see. */
const home = Object.keys(VIEWS).find((name) => VIEWS[name].label && belongs(VIEWS[name].groups));

/** What the views share: who is signed in, and the analytics. `watch` runs a task at intervals while the page is visible. */
const desk = {
  person: who,
  isAdmin: belongs(["admin"]),
  summary: () => getIfAny("/analytics/summary"),
  watch(task, milliseconds = 2500) {
    let timer;
    let stopped = false;
    const run = async () => {
      clearTimeout(timer);
      try {
        await task();
        complain(null);
      } catch (problem) {
        complain(problem);
      }
      if (!stopped && !document.hidden) timer = setTimeout(run, milliseconds);
    };
    const woken = () => document.hidden || run();
    document.addEventListener("visibilitychange", woken);
    run();
    return () => {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", woken);
    };
  },
};

const banner = h("p", { class: "alert banner", role: "alert", hidden: true });
page.before(banner);

function complain(problem) {
  banner.hidden = !problem;
  if (!problem) return;
  banner.textContent =
    problem.status === 401
      ? "Your sign-in has ended. Reload the page to sign in again."
      : `${problem.message} What you see may be old.`;
}

let stop = () => {};
let opening = 0;

async function open() {
  const [name = "", argument = ""] = location.hash.replace(/^#\/?/, "").split(/[/?]/, 2).map(decodeURIComponent);
  const view = VIEWS[name] && belongs(VIEWS[name].groups) ? name : home;
  const turn = (opening += 1);
  stop();
  stop = () => {};
  drawTabs(view);
  const module = await VIEWS[view].load();
  if (turn !== opening) return;
  // Each view has an element of its own: what one has asked for may arrive when the next is already shown.
  const host = h("div");
  page.replaceChildren(host);
  stop = module.show(host, argument, desk) ?? (() => {});
  page.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function drawTabs(current) {
  const tabs = Object.entries(VIEWS).filter(([, view]) => view.label && belongs(view.groups));
  nav.replaceChildren(
    ...tabs.map(([name, view]) => h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, view.label)),
  );
}

function say(title, ...more) {
  page.className = "notice";
  page.replaceChildren(h("h1", {}, title), ...more);
}

function begin() {
  if (who)
    document
      .getElementById("account")
      .replaceChildren(h("span", {}, who.name), h("button", { class: "plain", onclick: signOut }, "Sign out"));
  if (!canSignIn()) {
    return say(
      "There is no sign-in here yet",
      h(
        "p",
        {},
        "Deploy again with the parameter ",
        h("code", {}, "PagesUrl"),
        " set to this address: sign-in comes back to nowhere else.",
      ),
    );
  }
  if (!who) {
    return say(
      "The order desk",
      h("p", {}, "Sign in as support or admin to see and help every order; webhooks are for admins."),
      h("p", {}, h("button", { class: "main", onclick: signIn }, "Sign in")),
    );
  }
  if (home === undefined) {
    return say(
      "This desk is for staff",
      h("p", {}, `${who.name} is in neither of the groups support and admin.`),
      h("p", {}, h("button", { onclick: signOut }, "Sign in as another person")),
    );
  }
  addEventListener("hashchange", open);
  listen();
  return open();
}

begin();
