// A parcel's timeline: every scan, the latest first, with the carrier's own time, place and words.

import { h } from "./dom.js";
import { full } from "./format.js";
import { t } from "./language.js";
import { scanned } from "./words.js";

export const timeline = (scans) =>
  h(
    "ol",
    { class: "scans", "aria-label": t("delivery.way.label") },
    scans
      .toReversed()
      .map((scan) =>
        h(
          "li",
          { "data-status": scan.status },
          h("time", { class: "small quiet", datetime: scan.at }, full(scan.at)),
          h("strong", {}, scanned(scan.status)),
          scan.location && h("span", {}, h("bdi", {}, scan.location)),
          scan.message && h("span", { class: "small quiet" }, h("bdi", {}, scan.message)),
        ),
      ),
  );
