// The page that the sign-in returns to.

import { comeBack } from "./auth.js";
import { h } from "./dom.js";
import { t } from "./language.js";

try {
  location.replace(await comeBack());
} catch (reason) {
  document
    .getElementById("page")
    .replaceChildren(
      h("h1", {}, t("sign_in.bad.title")),
      h("p", {}, reason.message),
      h("p", {}, h("a", { href: "/admin" }, t("sign_in.bad.again"))),
    );
}
