// Webhooks: who is told, what could not be told, and telling it again.

import { call, get, post } from "./api.js";
import { ask } from "./dialog.js";
import { orderHref, shortId, word } from "./desk-words.js";
import { h, parts } from "./dom.js";
import { ago, full, moment, span } from "./format.js";

const path = (id, rest = "") => `/webhooks/${encodeURIComponent(id)}${rest}`;

export function show(host, _argument, desk) {
  const part = parts(host);
  let secret = null;

  async function load() {
    const { webhooks } = await get("/webhooks");
    const deliveries = await Promise.all(webhooks.map((one) => get(path(one.webhook_id, "/deliveries?limit=50"))));
    const owed = Object.fromEntries(webhooks.map((one, place) => [one.webhook_id, deliveries[place].deliveries]));
    part("title", null, () => [h("h1", {}, "Webhooks"), h("button", { class: "main", onclick: add }, "Add a webhook")]);
    part("secret", secret, drawSecret);
    part("list", { webhooks, owed }, drawList);
  }

  async function told(answer) {
    secret = answer?.secret ? { secret: answer.secret, url: answer.url } : null;
    await load();
  }

  const add = () =>
    ask({
      title: "Add a webhook",
      words: "Every change of an order is sent there, signed by Standard Webhooks.",
      fields: [{ name: "url", label: "Address", type: "url", required: true, most: 2000, value: "https://" }],
      action: "Add it",
      act: async (values) => told(await post("/webhooks", values)),
    });

  const renew = (webhook) =>
    ask({
      title: "Give it a new secret?",
      words: "The old one goes on signing beside it for a day. A disabled webhook is active again.",
      action: "New secret",
      act: async () => told(await post(path(webhook.webhook_id, "/rotate"))),
    });

  const remove = (webhook) =>
    ask({
      title: "Remove this webhook?",
      words: webhook.url,
      action: "Remove",
      danger: true,
      act: async () => told(await call("DELETE", path(webhook.webhook_id))),
    });

  const again = (delivery) => sendAgain(delivery, load);

  function drawSecret(shown) {
    if (!shown) return null;
    return h("p", { class: "hint", role: "status" }, `The signing secret of ${shown.url}, shown this once: `, h("code", {}, shown.secret));
  }

  function drawList({ webhooks, owed }) {
    if (!webhooks.length) return h("p", { class: "card quiet" }, "Nobody is told anything yet.");
    return h("ul", { class: "webhooks" }, webhooks.map((one) => card(one, owed[one.webhook_id])));
  }

  function card(webhook, deliveries) {
    const failed = deliveries.filter((one) => one.status !== "SUCCEEDED");
    return h(
      "li",
      { class: "card" },
      h("h2", {}, h("code", {}, webhook.url), " ", h("span", { class: `pill ${webhook.status === "ACTIVE" ? "good" : "bad"}` }, word(webhook.status))),
      h("p", { class: "small quiet" }, webhook.events.length ? webhook.events.join(", ") : "All events", ` · since ${ago(webhook.created_at)}`),
      webhook.disabled_reason && h("p", { class: "alert" }, webhook.disabled_reason),
      webhook.failing_since && h("p", { class: "hint" }, `Failing since ${full(webhook.failing_since)}.`),
      h(
        "div",
        { class: "row" },
        h("button", { "data-key": `renew ${webhook.webhook_id}`, onclick: () => renew(webhook) }, "New secret"),
        h("button", { class: "danger", "data-key": `remove ${webhook.webhook_id}`, onclick: () => remove(webhook) }, "Remove"),
      ),
      h("h3", {}, failed.length ? `${failed.length} not delivered` : deliveries.length ? "All delivered" : "Nothing sent yet"),
      deliveries.length > 0 && h("ul", { class: "deliveries" }, URGENCY.flatMap((status) => deliveries.filter((one) => one.status === status)).slice(0, 20).map((one) => deliveryRow(one, again))),
    );
  }

  return desk.watch(load, 4000);
}

/** Asks whether to send a delivery once more, and does. */
export const sendAgain = (delivery, done) =>
  ask({
    title: "Send it again?",
    words: `${delivery.event_type}, with the same id as before: a receiver that has it can tell.`,
    action: "Send again",
    act: async () => {
      await post(path(delivery.webhook_id, `/deliveries/${encodeURIComponent(delivery.delivery_id)}/redeliver`));
      await done();
    },
  });

const URGENCY = ["FAILED", "PENDING", "SUCCEEDED"];
const DELIVERY = { SUCCEEDED: "good", PENDING: "wait", FAILED: "bad" };

/** One delivery with its attempts; `again` sends it once more. */
export function deliveryRow(delivery, again) {
  return h(
    "li",
    {},
    h("span", { class: `pill ${DELIVERY[delivery.status]}` }, word(delivery.status)),
    h("span", {}, delivery.event_type, delivery.order_id && [" · ", h("a", { href: orderHref(delivery.order_id) }, shortId(delivery.order_id))]),
    h("time", { class: "small quiet", datetime: delivery.created_at, title: full(delivery.created_at) }, ago(delivery.created_at)),
    h("span", { class: "small quiet" }, tried(delivery.attempts), delivery.next_attempt_at ? ` · again ${moment(delivery.next_attempt_at)}` : ""),
    delivery.attempts.length > 0 && h("button", { class: "plain small", "data-key": delivery.delivery_id, "aria-label": `Send ${delivery.event_type} again`, onclick: () => again(delivery) }, "Send again"),
  );
}

function tried(attempts) {
  if (!attempts.length) return "not tried yet";
  const last = attempts.at(-1);
  const answer = `${last.status_code ?? (last.error ?? "no answer").replace(/\.$/, "")} after ${span(last.duration_ms / 1000)}`;
  return attempts.length === 1 ? answer : `${attempts.length} tries, the last: ${answer}`;
}
