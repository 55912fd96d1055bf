// One order, with all its data.

import { get, getIfAny, orderPath } from "./api.js";
import { bearer } from "./auth.js";
import { actionsFor } from "./desk-actions.js";
import { deliveriesOf } from "./desk-deliveries.js";
import { detailButtons } from "./desk-details.js";
import { viewer } from "./desk-execution.js";
import { drawDeliveries, drawFacts, drawHead, drawHistory, drawMails, drawSteps, factsOf, headOf } from "./desk-order-view.js";
import { drawParcels, parcelsOf, partButtons } from "./desk-parcels.js";
import { refundButton, refundButtons } from "./desk-refunds.js";
import { returnButtons } from "./desk-returns.js";
import { h, parts } from "./dom.js";
import { follow, isFinal } from "./live.js";
import { drawRefunds, refundsOf } from "./refunds.js";
import { drawReturns, returnsOf } from "./returns.js";

export function show(host, id, desk) {
  const part = parts(host);
  let stop = () => {};
  let left = false;
  let drawMachine = null;
  let freshness = "loading";
  let view = null;

  async function load() {
    const [whole, progress, trail, execution, written, deliveries] = await Promise.all([
      get(orderPath(id)),
      get(orderPath(id, "/status")),
      get(orderPath(id, "/history")),
      getIfAny(orderPath(id, "/execution")),
      getIfAny(orderPath(id, "/mails")),
      desk.isAdmin ? deliveriesOf(id) : null,
    ]);
    if (left) return;
    view = { ...whole, progress, history: trail.history, execution, mails: written?.mails, deliveries };
    draw();
  }

  async function reload() {
    await load();
    // The row changes before the machine does: the effects of the change are visible a moment later.
    setTimeout(() => left || load().catch(() => {}), 700);
  }

  function draw() {
    const { order, payment, refunds, shipment } = view;
    part("head", headOf(view, freshness), drawHead);
    part("steps", view.progress.steps, () => drawSteps(view));
    const now = [order.status, order.items, order.approval, view.allowed_actions, order.note, order.shipping_address];
    part("actions", { order: now, payment, refunds, shipment, overall: view.progress.overall_status }, () =>
      h(
        "div",
        { class: "row actions" },
        actionsFor(view, reload),
        partButtons(view, reload),
        refundButton(view, reload),
        detailButtons(view, reload),
      ),
    );
    part("parcels", parcelsOf(view), (data) => drawParcels(data, reload));
    part("returns", returnsOf(view), (data) => drawReturns(data, "Returns", (one) => returnButtons(one, order, reload)));
    part("refunds", refundsOf(view), (data) => drawRefunds(data, "Refunds", (one) => refundButtons(one, view, reload)));
    part("facts", factsOf(view), drawFacts);
    part("machine", null, (_data, slot) => {
      const inside = h("div", {});
      drawMachine = viewer(inside);
      slot.replaceChildren(h("section", { class: "card" }, h("h2", {}, "Workflow"), inside));
      return undefined;
    });
    if (view.execution) drawMachine(view.execution);
    part("history", view.history, drawHistory);
    part("mails", view.mails, (mails) => drawMails(mails) || null);
    part("deliveries", view.deliveries, (sent) => drawDeliveries(sent, reload));
  }

  async function begin() {
    try {
      await load();
    } catch (problem) {
      part("missing", problem.message, (words) => [
        h("h1", {}, problem.status === 404 ? "There is no such order" : "This order cannot be shown"),
        h("p", {}, words),
        h("p", {}, h("a", { href: "#/" }, "Back to all orders")),
      ]);
      return;
    }
    listen();
  }

  function listen() {
    if (left) return;
    stop = follow({
      request: async () => ({ url: orderPath(id, "/status/stream"), headers: { authorization: `Bearer ${await bearer()}` } }),
      seen: view.order.version,
      onChange: reload,
      poll: async () => {
        await load();
        return isFinal(view.progress);
      },
      onState: (state) => {
        freshness = state;
        draw();
        if (state === "over") reload().catch(() => draw());
      },
    });
  }

  begin();
  return () => {
    left = true;
    stop();
  };
}
