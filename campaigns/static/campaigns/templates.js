// Suggests template ids and their versions. The inputs stay plain ones: what isn't suggested can be typed.

const LATER_MS = 150;
const url = document.querySelector("script[data-templates-url]").dataset.templatesUrl;
const list = document.createElement("datalist");
list.id = "template-suggestions";
document.body.append(list);

const IDS = "[name$='template_id']";
const VERSIONS = "[name$='template_version_id']";
let waiting;
let asked = 0;

async function templates(prefix) {
    const answer = await fetch(`${url}?q=${encodeURIComponent(prefix)}`, { redirect: "manual" });  // never to the login
    return answer.ok ? (await answer.json()).templates : [];
}

async function suggestions(input) {
    if (input.matches(IDS)) {
        return (await templates(input.value)).map((template) => template.template_id);
    }
    const name = input.name.replace(/template_version_id$/, "template_id");
    const id = input.form.elements[name]?.value;
    return id ? (await templates(id)).find((template) => template.template_id === id)?.versions ?? [] : [];
}

async function suggest(input) {
    const mine = ++asked;
    const values = await suggestions(input).catch(() => []);
    if (mine !== asked) {
        return; // another input has been entered, or more has been typed
    }
    list.replaceChildren(...values.map((value) => {
        const option = document.createElement("option");
        option.value = value;
        return option;
    }));
    input.setAttribute("list", list.id);
}

function onChange(event) {
    if (!event.target.matches?.(`:is(${IDS}, ${VERSIONS}):not([readonly])`)) {
        return;
    }
    clearTimeout(waiting);
    if (event.type === "focusin") {
        list.replaceChildren(); // those of another input
    }
    waiting = setTimeout(() => suggest(event.target), event.type === "focusin" ? 0 : LATER_MS);
}

document.addEventListener("focusin", onChange);
document.addEventListener("input", onChange);
