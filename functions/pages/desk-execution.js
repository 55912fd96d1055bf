// The execution viewer: both machines of an order, each as a graph with its states colored, the state that is picked
// beside it, and the events below.

import { data } from "./desk-execution-data.js";
import { drawEvents, drawTimes } from "./desk-execution-events.js";
import { LEGEND, consoleLink, read } from "./desk-execution-history.js";
import { COPY, fact, word } from "./desk-words.js";
import { copyButton, h, parts } from "./dom.js";
import { exactTime, full, span } from "./format.js";
import { draw } from "./desk-execution-graph.js";

/** The field of the API that holds each machine's execution, and what people call the machine. */
const MACHINES = { fulfilment: "Fulfillment", unwinding: "Unwinding" };
const RUN = { RUNNING: "", SUCCEEDED: "good", FAILED: "bad", TIMED_OUT: "bad", ABORTED: "calm" };

/** A viewer in `host`, as a function: called with each response of GET /orders/{id}/execution, it draws what changed. */
export function viewer(host) {
  const part = parts(host);
  let chosen = null;
  let picked = null;
  let kind = "Every event";
  let answer = null;

  function show() {
    const names = Object.keys(MACHINES).filter((name) => answer[name]);
    const current = names.includes(chosen) ? chosen : names.at(-1);
    part("tabs", { names, current, runs: names.map((name) => answer[name].status) }, () => drawTabs(names, current));
    const execution = answer[current];
    part("none", !execution, (none) =>
      none
        ? h(
            "p",
            { class: "quiet" },
            "No execution is kept for this order: it has not begun, or it ended more than 90 days ago.",
          )
        : null,
    );
    part("machine", execution && [current, picked, kind, execution.status, execution.events.length], () =>
      execution ? drawExecution(execution) : null,
    );
  }

  function drawTabs(names, current) {
    if (!names.length) return null;
    return h(
      "div",
      { class: "row machines", role: "group", "aria-label": "Machine" },
      names.map((name) =>
        h(
          "button",
          {
            "aria-pressed": String(name === current),
            "data-key": name,
            onclick: () => {
              chosen = name;
              picked = null;
              show();
            },
          },
          MACHINES[name],
          h("span", { class: `pill ${RUN[answer[name].status]}` }, word(answer[name].status)),
        ),
      ),
    );
  }

  function drawExecution(execution) {
    const story = read(execution);
    const link = consoleLink(execution.execution_arn);
    const choose = (name) => {
      picked = name === picked ? null : name;
      show();
    };
    const picture = draw(execution.definition, story, choose);
    if (picked) picture.querySelector(`[data-state="${CSS.escape(picked)}"]`)?.classList.add("picked");
    return [
      h(
        "p",
        { class: "small quiet" },
        h("code", {}, execution.name),
        ` began ${full(execution.started_at)}`,
        execution.stopped_at ? `, took ${length(execution.started_at, execution.stopped_at)}` : ", still running",
        " ",
        copyButton(execution.execution_arn, ["Copy the ARN", ...COPY.slice(1)], { "data-key": "copy the ARN" }),
        link && [" · ", h("a", { href: link, rel: "noreferrer", target: "_blank" }, "Open in the AWS console")],
      ),
      h(
        "ul",
        { class: "legend", "aria-label": "Colors" },
        Object.entries(LEGEND).map(([status, label]) => h("li", { class: status }, label)),
      ),
      h(
        "div",
        { class: "viewer" },
        h("div", { class: "picture", tabindex: "0", role: "region", "aria-label": "Graph of the machine" }, picture),
        h(
          "div",
          { class: "beside" },
          picked ? drawState(picked, execution, story) : drawHint(),
          drawTimes(story, execution.started_at, execution.stopped_at ?? story.events.at(-1)?.at, choose),
          drawEvents(story, picked, choose, kind, (other) => {
            kind = other;
            show();
          }),
        ),
      ),
    ];
  }

  return (found) => {
    answer = found;
    show();
  };
}

const length = (from, to) => span((new Date(to) - new Date(from)) / 1000);
const drawHint = () => h("p", { class: "quiet small" }, "Choose a state to see what went in, what came out, and each try.");

function drawState(name, execution, story) {
  const state = execution.definition.States[name];
  const visits = story.states.get(name) ?? [];
  return h(
    "section",
    { class: "chosen", "aria-live": "polite" },
    h("h3", {}, name),
    h("p", { class: "small quiet" }, `${state.Type}. ${state.Comment ?? ""}`),
    visits.length === 0 && h("p", {}, "Not reached."),
    visits.map((visit) => [
      h(
        "dl",
        { class: "facts small" },
        fact("Came to", h("span", { class: `status ${visit.status}` }, LEGEND[visit.status])),
        fact("Entered", full(visit.entered)),
        fact("Took", visit.left && length(visit.entered, visit.left)),
        fact("Tries", visit.tries.length > 0 && h("ol", { class: "trials" }, visit.tries.map(drawTry))),
      ),
      data("Input", visit.input),
      data("Output", visit.output, visit.input),
    ]),
  );
}

const drawTry = (one) =>
  h(
    "li",
    {},
    `${exactTime(one.from)} `,
    h("span", { class: `status ${one.outcome}` }, LEGEND[one.outcome] ?? word(one.outcome)),
    one.to && ` after ${length(one.from, one.to)}`,
    one.error && [": ", h("code", {}, one.error), " ", cause(one.cause)],
  );

/** A Lambda error's cause is JSON; its message is what a person wants. */
function cause(text) {
  try {
    return JSON.parse(text).errorMessage ?? text;
  } catch {
    return text;
  }
}
