// Reading an execution: each state's result from the definition and the history events, as the AWS console shows it.

export const LEGEND = {
  running: "In progress",
  succeeded: "Succeeded",
  caught: "Caught error",
  failed: "Failed",
  aborted: "Aborted",
  untouched: "Not reached",
};

const detailsOf = (event) => event[Object.keys(event).find((key) => key.endsWith("EventDetails")) ?? ""] ?? {};
const FAILED_TASK = /^(Task|LambdaFunction)(Failed|TimedOut|StartFailed|SubmitFailed|ScheduleFailed)$/;

/** A state's name, input and so on, from its events; `visits` is one for each time it was entered. */
function visit(event, details) {
  return { entered: event.timestamp, left: null, input: details.input ?? null, output: null, tries: [], status: "running" };
}

const HANDLERS = [
  [
    /^TaskScheduled$|^LambdaFunctionScheduled$/,
    (now, event) => now.tries.push({ from: event.timestamp, to: null, outcome: "running" }),
  ],
  [/^(Task|LambdaFunction)Succeeded$/, (now, event) => settle(now, event, { outcome: "succeeded" })],
  [
    FAILED_TASK,
    (now, event, details) =>
      settle(now, event, { outcome: "failed", error: details.error ?? "States.Timeout", cause: details.cause ?? "" }),
  ],
  [/StateExited$/, (now, event, details) => leave(now, event, details)],
];

const settle = (now, event, result) => Object.assign(now.tries.at(-1) ?? {}, { to: event.timestamp, ...result });

function leave(now, event, details) {
  const caught = now.tries.at(-1)?.outcome === "failed";
  Object.assign(now, { left: event.timestamp, output: details.output ?? null, status: caught ? "caught" : "succeeded" });
}

const ENDED = { ExecutionFailed: "failed", ExecutionTimedOut: "failed", ExecutionAborted: "aborted" };

function end(now, event) {
  Object.assign(now, { left: event.timestamp, status: ENDED[event.type] });
  if (now.tries.at(-1)?.outcome === "running")
    Object.assign(now.tries.at(-1), { to: event.timestamp, outcome: ENDED[event.type] });
}

/**
 * What an execution did: { states: name → [visit], taken: set of "from→to", events: [{ id, type, at, state, words }] }.
 * A state that failed without a Catch is where the execution failed.
 */
export function read({ events }) {
  const states = new Map();
  const taken = new Set();
  const shown = [];
  let state = null;
  let before = "start";
  for (const event of events) {
    const details = detailsOf(event);
    if (event.type.endsWith("StateEntered")) {
      state = details.name;
      states.set(state, [...(states.get(state) ?? []), visit(event, details)]);
      taken.add(`${before}→${state}`);
    }
    const now = state && states.get(state).at(-1);
    if (now) HANDLERS.filter(([pattern]) => pattern.test(event.type)).forEach(([, handle]) => handle(now, event, details));
    if (now && ENDED[event.type] && !now.left) end(now, event);
    // A Fail state is left by the execution's own end.
    if (now && event.type === "ExecutionFailed" && now.status === "succeeded" && before === state) now.status = "failed";
    shown.push({ id: event.id, type: event.type, at: event.timestamp, state, words: words(details) });
    if (event.type.endsWith("StateExited")) before = state;
    if (event.type === "ExecutionSucceeded") taken.add(`${before}→end`);
    if (event.type.endsWith("StateExited")) state = null;
  }
  return { states, taken, events: shown };
}

const words = (details) => [details.error, details.cause].filter(Boolean).join(": ");

/** The result of a state's last visit. */
export const statusOf = (story, name) => story.states.get(name)?.at(-1).status ?? "untouched";

/** The machine's arrows: [{ from, to, kind, label }] from "start" to "end", kind "next", "choice", "default" or "catch". */
export function arrows(definition) {
  const found = [{ from: "start", to: definition.StartAt, kind: "next" }];
  for (const [name, state] of Object.entries(definition.States)) {
    if (state.Next) found.push({ from: name, to: state.Next, kind: "next" });
    if (state.End || ["Succeed", "Fail"].includes(state.Type)) found.push({ from: name, to: "end", kind: "next" });
    for (const choice of state.Choices ?? [])
      found.push({ from: name, to: choice.Next, kind: "choice", label: condition(choice) });
    if (state.Default) found.push({ from: name, to: state.Default, kind: "default", label: "otherwise" });
    for (const caught of state.Catch ?? [])
      found.push({ from: name, to: caught.Next, kind: "catch", label: caught.ErrorEquals.join(", ") });
  }
  return found;
}

/** A rule of a choice in words: what it looks at is named by the end of its path, as in "payment outcome: declined". */
function condition(choice) {
  const operator = Object.keys(choice).find((key) => !["Variable", "Next", "Comment"].includes(key));
  const path = (choice.Variable ?? "").split(".").slice(1);
  const name = path.slice(-2).join(" ").replaceAll("_", " ");
  if (operator === "NumericGreaterThan") return `${name} > ${choice[operator]}`;
  return choice[operator] === true ? name : `${name}: ${choice[operator]}`;
}

/** Where AWS's own console shows an execution; null for one that is not on AWS. */
export function consoleLink(arn) {
  const [, partition, , region, account] = arn.split(":");
  if (!/^\d{12}$/.test(account ?? "") || /^0+$/.test(account)) return null;
  const host = {
    aws: "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
  }[partition];
  return host ? `https://${region}.${host}/states/home?region=${region}#/v2/executions/details/${arn}` : null;
}
