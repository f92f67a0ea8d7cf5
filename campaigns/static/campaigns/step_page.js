// The page of a single step.

import { saveByKeys } from "./keys.js";
import { guard } from "./unsaved.js";

const form = document.getElementById("campaignstep_form");

if (form) {
    guard(form);
    saveByKeys(form);
    // The field of suggestions has no name of its own. Django's script, which makes it, asked jQuery before.
    window.django.jQuery(() => {
        for (const part of form.querySelectorAll(".field-campaign :is([role='combobox'], [role='textbox'])")) {
            part.setAttribute("aria-label", "Campaign");
        }
    });
}
