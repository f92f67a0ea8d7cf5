// Keys that mean the same on every page.

export const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

// Ctrl+Enter, or Cmd+Enter, saves and stays on the page, wherever the focus is. A merged page has one button that saves.
export function saveByKeys(form) {
    const button = form.querySelector("[name='_overwrite']") ?? form.querySelector("[name='_continue']");
    document.addEventListener("keydown", (event) => {
        const isSave = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented;
        // A link opens in a new tab; a control of another form is no part of what is saved.
        const isElsewhere = (event.target.form ?? form) !== form || event.target.closest("a[href]");
        if (isSave && button && !isElsewhere) {
            event.preventDefault();
            if (!event.repeat) {
                form.requestSubmit(button);
            }
        }
    });
}
