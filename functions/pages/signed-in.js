// The page that the sign-in returns to.

import { comeBack } from "./auth.js";
import { h } from "./dom.js";

try {
  location.replace(await comeBack());
} catch (reason) {
  document
    .getElementById("page")
    .replaceChildren(
      h("h1", {}, "You are not signed in"),
      h("p", {}, reason.message),
      h("p", {}, h("a", { href: "/admin" }, "Try again")),
    );
}
