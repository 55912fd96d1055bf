// Building the page from values. Text is always a text node: no user's text can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element: h("p", { class: "quiet" }, "text", child). */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** A button that copies a text; `words` are what it says before, after, and where the browser does not allow it. */
export function copyButton(text, [before, after, refused], properties) {
  const copy = async ({ target }) => {
    try {
      await navigator.clipboard.writeText(text);
      target.textContent = after;
    } catch {
      target.textContent = refused;
    }
  };
  return h("button", { class: "plain small", type: "button", onclick: copy, ...properties }, before);
}

/** A link to another site; none where there is no secure address. */
export const outside = (url, words, target = null) =>
  url?.startsWith("https://") && h("a", { href: url, rel: "noopener noreferrer", target }, words);

/** A JSON block the server has put into the page. */
export const island = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

/**
 * Parts of the page that are drawn again only when what they show has changed, so that focus, open dialogs and
 * animations survive an update. A part that draws null is hidden.
 */
export function parts(host) {
  const drawnParts = new Map();
  return (name, data, draw) => {
    const digest = JSON.stringify(data ?? null);
    let part = drawnParts.get(name);
    if (!part) {
      part = { slot: h("div", { class: "part", "data-part": name }) };
      drawnParts.set(name, part);
      host.append(part.slot);
    }
    if (part.digest === digest) return part.slot;
    part.digest = digest;
    const drawn = draw(data, part.slot);
    if (drawn !== undefined) replace(part.slot, [drawn].flat().filter(Boolean));
    part.slot.hidden = drawn === null;
    return part.slot;
  };
}

const keyOf = (element) => element?.getAttribute("href") ?? element?.dataset?.key ?? element?.name ?? element?.textContent;

/** Replaces the content, and moves the focus to the element that replaces the focused one. */
export function replace(host, nodes) {
  const focused = host.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  host.replaceChildren(...nodes);
  if (!focused) return;
  [...host.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
    .find((one) => keyOf(one) === focused)
    ?.focus({ preventScroll: true });
}
