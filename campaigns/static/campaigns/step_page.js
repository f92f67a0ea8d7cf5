// The page of a single step.

import { guard } from "./unsaved.js";

const form = document.getElementById("campaignstep_form");

if (form) {
    guard(form);
}
