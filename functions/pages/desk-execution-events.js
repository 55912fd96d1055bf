// An execution's states with how long each took, and its events, of which a kind can be picked.

import { LEGEND } from "./desk-execution-history.js";
import { h } from "./dom.js";
import { span } from "./format.js";

/** Which events are shown, by the name that people pick. */
const KINDS = {
  "Every event": () => true,
  "States only": (event) => /State(Entered|Exited)$/.test(event.type),
  "Failures only": (event) => /(Failed|TimedOut|Aborted)$/.test(event.type),
};

const length = (from, to) => span((new Date(to) - new Date(from)) / 1000);

/** Each visit of a state, in order, as a bar within the whole; `until` is the end, or now where the execution runs. */
export function drawTimes(story, from, until, choose) {
  const whole = Math.max(1, new Date(until) - new Date(from));
  const visits = [...story.states]
    .flatMap(([name, all]) => all.map((visit) => ({ name, ...visit })))
    .sort((one, other) => new Date(one.entered) - new Date(other.entered));
  return h(
    "details",
    { open: true, class: "times" },
    h("summary", {}, "How long each state took"),
    h(
      "ol",
      {},
      visits.map((visit, place) => {
        const start = new Date(visit.entered) - new Date(from);
        const took = new Date(visit.left ?? until) - new Date(visit.entered);
        return h(
          "li",
          {},
          h("button", { class: "plain small", "data-key": `time ${place}`, onclick: () => choose(visit.name) }, visit.name),
          h("span", {
            class: `lapse ${visit.status}`,
            "--from": String(start / whole),
            "--took": String(took / whole),
            "aria-hidden": "true",
          }),
          h(
            "span",
            { class: "small number" },
            h("span", { class: `status ${visit.status}` }, LEGEND[visit.status]),
            ` ${visit.left ? "" : "for "}${length(visit.entered, visit.left ?? until)}`,
          ),
        );
      }),
    ),
  );
}

/** The events; `kind` is which are shown, and `pick` is told of another. */
export function drawEvents(story, picked, choose, kind, pick) {
  const start = story.events[0]?.at;
  const shown = story.events.filter(KINDS[kind] ?? KINDS["Every event"]);
  return h(
    "details",
    { open: true, class: "events" },
    h("summary", {}, `${story.events.length} events`),
    h(
      "label",
      { class: "small" },
      "Show ",
      h(
        "select",
        { name: "events", onchange: (change) => pick(change.target.value) },
        Object.keys(KINDS).map((name) => h("option", { selected: name === kind }, name)),
      ),
    ),
    shown.length === 0 && h("p", { class: "quiet small" }, "There are none."),
    h(
      "ol",
      { tabindex: "0", "aria-label": "Events" },
      shown.map((event) => drawEvent(event, start, picked, choose)),
    ),
  );
}

const drawEvent = (event, start, picked, choose) =>
  h(
    "li",
    { class: event.state && event.state === picked ? "picked" : null },
    h("span", { class: "small quiet number" }, String(event.id)),
    h(
      "span",
      {},
      event.type,
      event.state && [
        " ",
        h("button", { class: "plain small", "data-key": `event ${event.id}`, onclick: () => choose(event.state) }, event.state),
      ],
      event.words && h("span", { class: "small quiet" }, ` ${event.words.slice(0, 200)}`),
    ),
    h("span", { class: "small quiet number" }, `+${length(start, event.at)}`),
  );
