// The API's reference: a form for each operation, which sends its request to this very deployment.

import { bearer, canSignIn, person, signIn, signOut } from "./auth.js";
import { h } from "./dom.js";

const METHODS_WITHOUT_BODY = ["GET", "DELETE"];
let pasted = "";

/** The address and the headers of a request, from what the form's fields hold. */
function requestOf({ method, path, fields }, values) {
  const headers = {};
  const asked = new URLSearchParams();
  let address = path;
  fields.forEach(({ name, in: place }, position) => {
    const value = values[position];
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(value));
    else if (value && place === "query") asked.append(name, value);
    else if (value) headers[name] = value;
  });
  return { method, headers, address: asked.size ? `${address}?${asked}` : address };
}

async function send(operation, values, body) {
  const { method, headers, address } = requestOf(operation, values);
  const token = pasted || (await bearer());
  if (token) headers.authorization = `Bearer ${token}`;
  const sent = !METHODS_WITHOUT_BODY.includes(method) && operation.body !== null;
  if (sent) headers["content-type"] = "application/json";
  const response = await fetch(address, { method, headers, body: sent ? body : undefined });
  const told = ["location", "etag", "retry-after"].filter((name) => response.headers.has(name));
  return [
    `${response.status} ${response.statusText}`,
    ...told.map((name) => `${name}: ${response.headers.get(name)}`),
    "",
    readable(await response.text()),
  ].join("\n");
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const labeled = (words, field) => h("label", {}, h("span", { class: "small quiet" }, words), field);

/** The form of one operation. */
function form(operation) {
  const inputs = operation.fields.map(({ value, required }) => h("input", { value, required }));
  const body = operation.body === null ? null : h("textarea", { spellcheck: "false" }, JSON.stringify(operation.body, null, 2));
  const token = h("input", { type: "password", autocomplete: "off", value: pasted });
  const shown = h("pre", { tabindex: "0", "aria-live": "polite", hidden: true });
  const made = h(
    "form",
    {},
    operation.fields.map(({ name, in: place }, position) => labeled(`${name} (${place})`, inputs[position])),
    body && labeled("body", body),
    labeled(person() ? "token (left empty: you are signed in)" : "token", token),
    h("div", { class: "row" }, h("button", { class: "main" }, "Send")),
    shown,
  );
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    pasted = token.value.trim();
    const values = inputs.map((input) => input.value.trim());
    shown.hidden = false;
    shown.textContent = await send(operation, values, body?.value).catch(() => "There is no connection to the service.");
  });
  return made;
}

for (const place of document.querySelectorAll(".try")) {
  place.addEventListener("toggle", () => {
    if (place.open && place.children.length === 1) place.append(form(JSON.parse(place.dataset.operation)));
  });
}

if (canSignIn()) {
  const who = person();
  const press = who ? signOut : signIn;
  document.getElementById("account").append(h("button", { class: "plain", onclick: press }, who ? "Sign out" : "Sign in"));
}
