// A page with edits that aren't saved asks before it is left.

import { keep } from "./kept.js";

let isDirty = document.querySelector(".errornote, .conflict, .typed-before") !== null;

export const isUnsaved = () => isDirty;

export function markUnsaved(is = true) {
    isDirty = is;
}

export function guard(form) {
    // A control of another form, such as a search, may stand among its own.
    form.addEventListener("input", (event) => {
        if (event.target.form === form) {
            markUnsaved();
        }
    });
    form.addEventListener("submit", () => { isDirty = false; });
    keep(form);
    window.addEventListener("beforeunload", (event) => {
        if (isDirty) {
            event.preventDefault();
        }
    });
}
