// Drawing a state machine: laid out by dagre, drawn as SVG, each state a button.

import { svg } from "./dom.js";
import { LEGEND, arrows, statusOf } from "./desk-execution-history.js";
import { Graph, layout } from "./vendor/dagre.js";

const WIDTH = 178;
const HEIGHT = 48;
const ROUND = 26;
const GLYPHS = { running: "…", succeeded: "✓", caught: "!", failed: "✕", aborted: "■", untouched: "" };

function laidOut(definition, found) {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 30, ranksep: 34, edgesep: 12, marginx: 14, marginy: 14 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of ["start", "end"]) graph.setNode(name, { width: ROUND * 2, height: ROUND });
  for (const name of Object.keys(definition.States)) graph.setNode(name, { width: WIDTH, height: HEIGHT });
  found.forEach((arrow, place) => {
    const label =
      arrow.kind === "choice" || arrow.kind === "default" ? { width: arrow.label.length * 6.2, height: 14, labelpos: "c" } : {};
    graph.setEdge(arrow.from, arrow.to, { ...label, weight: arrow.kind === "catch" ? 1 : 8, minlen: 1 }, String(place));
  });
  layout(graph);
  return graph;
}

/** A smooth path through the points the layout gives. */
function path(points) {
  const [first, ...rest] = points;
  let drawn = `M${first.x},${first.y}`;
  for (let place = 0; place < rest.length - 1; place += 1) {
    const next = rest[place + 1];
    const end = place === rest.length - 2 ? next : { x: (rest[place].x + next.x) / 2, y: (rest[place].y + next.y) / 2 };
    drawn += `Q${rest[place].x},${rest[place].y} ${end.x},${end.y}`;
  }
  return rest.length === 1 ? `${drawn}L${rest[0].x},${rest[0].y}` : drawn;
}

function drawArrow(arrow, edge, taken) {
  return svg(
    "g",
    { class: `arrow ${arrow.kind}${taken ? " taken" : ""}` },
    svg("title", {}, `${arrow.from} → ${arrow.to}${arrow.label ? ` (${arrow.label})` : ""}`),
    svg("path", { d: path(edge.points), "marker-end": `url(#tip${taken ? "-taken" : ""})` }),
    arrow.kind !== "catch" && arrow.label && svg("text", { x: edge.x, y: edge.y + 4, class: "label" }, arrow.label),
  );
}

/** A name on one line or two. */
function lines(name) {
  if (name.length <= 19) return [name];
  const words = name.split(" ");
  let cut = 1;
  while (cut < words.length - 1 && words.slice(0, cut + 1).join(" ").length <= name.length / 2 + 2) cut += 1;
  return [words.slice(0, cut).join(" "), words.slice(cut).join(" ")];
}

function drawState(name, node, story, choose) {
  const status = statusOf(story, name);
  const tries = story.states.get(name)?.at(-1).tries.length ?? 0;
  const again = tries > 1 ? `, ${tries} tries` : "";
  const text = lines(name);
  const press = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(name);
  };
  return svg(
    "g",
    {
      class: `state ${status}`,
      "data-state": name,
      transform: `translate(${node.x - WIDTH / 2},${node.y - HEIGHT / 2})`,
      onclick: () => choose(name),
      onkeydown: press,
    },
    svg("rect", { width: WIDTH, height: HEIGHT, rx: 9 }),
    // What is drawn is for the eye; the button above it says all of it in one piece.
    svg(
      "g",
      { "aria-hidden": "true" },
      svg("text", { x: 14, y: HEIGHT / 2 + 5, class: "glyph" }, GLYPHS[status]),
      text.map((line, place) =>
        svg("text", { x: WIDTH / 2 + 6, y: HEIGHT / 2 + 4 + (place - (text.length - 1) / 2) * 15, class: "name" }, line),
      ),
      tries > 1 && svg("text", { x: WIDTH - 8, y: 13, class: "tries" }, `${tries}×`),
    ),
    svg("rect", {
      class: "touch",
      width: WIDTH,
      height: HEIGHT,
      rx: 9,
      role: "button",
      tabindex: "0",
      "data-key": name,
      "aria-label": `${name}: ${LEGEND[status]}${again}`,
    }),
  );
}

const drawPoint = (name, node, taken) =>
  svg(
    "g",
    { class: `point${taken ? " taken" : ""}`, transform: `translate(${node.x - ROUND},${node.y - ROUND / 2})` },
    svg("rect", { width: ROUND * 2, height: ROUND, rx: ROUND / 2 }),
    svg("text", { x: ROUND, y: ROUND / 2 + 4 }, name === "start" ? "Start" : "End"),
  );

const tip = (id) =>
  svg(
    "marker",
    { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto-start-reverse" },
    svg("path", { d: "M0,0L8,4L0,8z" }),
  );

/** The machine as a picture; `choose(name)` is called for the state that is picked. */
export function draw(definition, story, choose) {
  const found = arrows(definition);
  const graph = laidOut(definition, found);
  const { width, height } = graph.graph();
  const goesThere = (arrow) => story.taken.has(`${arrow.from}→${arrow.to}`);
  const drawn = found.map((arrow, place) =>
    drawArrow(arrow, graph.edge(arrow.from, arrow.to, String(place)), isTaken(arrow, found, story, goesThere)),
  );
  return svg(
    "svg",
    {
      class: "machine",
      viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
      width: Math.ceil(width),
      height: Math.ceil(height),
      role: "group",
      "aria-label": "The state machine",
    },
    svg("defs", {}, tip("tip"), tip("tip-taken")),
    drawn,
    drawPoint("start", graph.node("start"), true),
    drawPoint(
      "end",
      graph.node("end"),
      [...story.taken].some((one) => one.endsWith("→end")),
    ),
    Object.keys(definition.States).map((name) => drawState(name, graph.node(name), story, choose)),
  );
}

/** Of two arrows between the same states the one is taken that fits how the state was left. */
function isTaken(arrow, all, story, goesThere) {
  if (!goesThere(arrow)) return false;
  const twins = all.filter((one) => one.from === arrow.from && one.to === arrow.to);
  const wasCaught = statusOf(story, arrow.from) === "caught";
  return twins.length === 1 || (arrow.kind === "catch") === wasCaught;
}
