// Webhooks: which addresses are sent every change of an order, and what could not be delivered.

import { call, get, post } from "./api.js";
import { drawDeliveries, newestOf, webhookPath } from "./desk-deliveries.js";
import { cards } from "./desk-list.js";
import { word } from "./desk-words.js";
import { ask } from "./dialog.js";
import { h, parts } from "./dom.js";
import { ago, full } from "./format.js";

const MOST_SHOWN = 20;
const URGENCY = ["FAILED", "PENDING", "SUCCEEDED"];

export function show(host, _argument, desk) {
  const part = parts(host);
  let secret = null;

  async function load() {
    const { webhooks } = await get("/webhooks");
    const deliveries = await Promise.all(webhooks.map((one) => newestOf(one.webhook_id)));
    part("title", null, () => [h("h1", {}, "Webhooks"), h("button", { class: "main", onclick: add }, "Add a webhook")]);
    part("secret", secret, drawSecret);
    part("list", { webhooks, deliveries }, drawList);
  }

  async function showSecret(webhook) {
    secret = webhook?.secret ? { secret: webhook.secret, url: webhook.url } : null;
    await load();
  }

  const add = () =>
    ask({
      title: "Add a webhook",
      words: "Every change of an order is sent there, signed by Standard Webhooks.",
      fields: [{ name: "url", label: "Address", type: "url", required: true, most: 2000, value: "https://" }],
      action: "Add it",
      act: async (values) => showSecret(await post("/webhooks", values)),
    });

  const renew = (webhook) =>
    ask({
      title: "Give it a new secret?",
      words: "The old secret also signs for one more day. A disabled webhook becomes active again.",
      action: "New secret",
      act: async () => showSecret(await post(webhookPath(webhook.webhook_id, "/rotate"))),
    });

  const remove = (webhook) =>
    ask({
      title: "Remove this webhook?",
      words: webhook.url,
      action: "Remove",
      danger: true,
      act: async () => showSecret(await call("DELETE", webhookPath(webhook.webhook_id))),
    });

  function drawSecret(shown) {
    if (!shown) return null;
    return h(
      "p",
      { class: "hint", role: "status" },
      `The signing secret of ${shown.url}, shown this once: `,
      h("code", {}, shown.secret),
    );
  }

  const drawList = ({ webhooks, deliveries }) =>
    cards(
      webhooks.map((webhook, place) => ({ webhook, sent: deliveries[place] })),
      { kind: "webhooks", empty: "There are no webhooks yet.", card },
    );

  const card = ({ webhook, sent }) => ({
    title: [h("code", {}, webhook.url), " ", statusOf(webhook)],
    lines: [
      h("p", { class: "small quiet" }, webhook.events.join(", ") || "All events", ` · since ${ago(webhook.created_at)}`),
      webhook.disabled_reason && h("p", { class: "alert" }, webhook.disabled_reason),
      webhook.failing_since && h("p", { class: "hint" }, `Failing since ${full(webhook.failing_since)}.`),
    ],
    actions: [
      h("button", { "data-key": `renew ${webhook.webhook_id}`, onclick: () => renew(webhook) }, "New secret"),
      h("button", { class: "danger", "data-key": `remove ${webhook.webhook_id}`, onclick: () => remove(webhook) }, "Remove"),
    ],
    below: [h("h3", {}, resultOf(sent)), drawDeliveries(mostUrgent(sent), load)],
  });

  return desk.watch(load, 4000);
}

const statusOf = (webhook) =>
  h("span", { class: `pill ${webhook.status === "ACTIVE" ? "good" : "bad"}` }, word(webhook.status));

function resultOf(sent) {
  const failed = sent.filter((one) => one.status !== "SUCCEEDED");
  if (failed.length) return `${failed.length} not delivered`;
  return sent.length ? "All delivered" : "Nothing sent yet";
}

const mostUrgent = (sent) => URGENCY.flatMap((status) => sent.filter((one) => one.status === status)).slice(0, MOST_SHOWN);
