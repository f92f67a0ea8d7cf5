// Rows of variables beside their JSON. The text is the form's field and the truth: a row replaces its own name or value
// in it and nothing else, so that order and spelling of all the rest stay.

import { Fault, formatted, isNumber, parse } from "./json_text.js";
import { isPlain } from "./keys.js";

const MAX_ROWS = 200;
const KINDS = { text: "text", number: "number", boolean: "true/false", null: "null", JSON: "JSON" };
const BLANK_OF = { text: '""', number: "0", boolean: "false", null: "null", JSON: "{}" };

const suggestions = made("datalist", { id: "variable-names" });
document.body.append(suggestions);
const editors = new WeakSet();
let lastId = 0;

function made(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
}

const textOf = (raw) => (raw.startsWith('"') ? JSON.parse(raw) : raw);

// A value's spelling as another kind, as far as it can be one.
function converted(raw, kind) {
    const text = textOf(raw).trim();
    if (kind === "text") {
        return JSON.stringify(raw === "null" ? "" : textOf(raw));
    }
    const fits = { number: isNumber, boolean: (each) => each === "true", JSON: isContainer }[kind];
    return fits?.(text) ? text : BLANK_OF[kind];
}

function isContainer(text) {
    try {
        return parse(text).root.kind === "JSON";
    } catch {
        return false;
    }
}

function membersOf(text) {
    const { root, repeated } = parse(text.trim() ? text : "{}");
    if (root.kind !== "JSON" || text[root.start] === "[") {
        throw new Fault("variables are an object: { … }.", text, root.start);
    }
    return { members: root.parts, repeated };
}

class Editor {
    parts = []; // the members of the object: where name and value stand in the text

    constructor(textarea) {
        this.textarea = textarea;
        this.stepName = textarea.closest(".step-row")?.querySelector(".step-name");
        this.list = made("ul", { className: "variable-rows" });
        this.note = made("p", { className: "quiet", hidden: true });
        this.addButton = this.button("Add variable", "button", () => this.add());
        this.fault = made("p", { className: "variables-fault", id: `variables-fault-${++lastId}`, role: "status" });
        const format = this.button("Format JSON", "button", () => this.format());
        const frame = made("div", { className: "variables-editor" });
        textarea.before(frame);
        frame.append(
            made("div", {}, this.list, this.note, this.addButton),
            made("div", {}, textarea, this.fault, format),
        );
        textarea.setAttribute("aria-describedby", `${textarea.getAttribute("aria-describedby") ?? ""} ${this.fault.id}`.trim());
        textarea.addEventListener("input", () => this.isWriting || this.read());
        this.list.addEventListener("keydown", (event) => this.onKey(event));
        this.read();
    }

    // --- Text ----------------------------------------------------------------------------------------------------

    // The members that the text has now; null where it isn't an object. Its first fault is said.
    members() {
        try {
            const { members, repeated } = membersOf(this.textarea.value);
            this.say(repeated);
            return members;
        } catch (fault) {
            if (!(fault instanceof Fault)) {
                throw fault;
            }
            this.say(fault);
            return null;
        }
    }

    read() {
        const members = this.members();
        const why = members ? "There are too many variables for rows: edit the JSON." : "The rows come back once the JSON is mended.";
        const canShow = members !== null && members.length <= MAX_ROWS;
        this.note.textContent = why;
        this.note.hidden = canShow;
        this.list.hidden = this.addButton.hidden = !canShow;
        if (canShow) {
            this.show(members);
        }
    }

    say(fault) {
        this.fault.textContent = fault?.message ?? "";
        this.faultAt = fault?.at ?? null;
        this.mark();
    }

    format() {
        if (this.faultAt !== null) {
            this.textarea.focus();
            this.textarea.setSelectionRange(this.faultAt, this.faultAt);
        } else if (this.textarea.value.trim()) {
            this.write(0, this.textarea.value.length, formatted(this.textarea.value));
            this.read();
        }
    }

    // Replaces a span of the text. Spans of names and values behind it move along.
    write(start, end, replacement) {
        const { textarea } = this;
        const moved = start + replacement.length - end;
        textarea.value = textarea.value.slice(0, start) + replacement + textarea.value.slice(end);
        for (const span of this.parts.flatMap((part) => [part.name, part.value])) {
            span.start += span.start > start ? moved : 0;
            span.end += span.end >= end ? moved : 0;
        }
        this.isWriting = true;
        for (const type of ["input", "change"]) {
            textarea.dispatchEvent(new Event(type, { bubbles: true }));
        }
        this.isWriting = false;
    }

    // After a row's edit: the rows stay, also where what was typed isn't valid yet.
    settle() {
        const members = this.members();
        if (members && members.length !== this.parts.length) {
            this.show(members);
        } else if (members) {
            this.parts = members;
            this.mark();
        }
    }

    insert(name, value) {
        const [text, last] = [this.textarea.value, this.parts.at(-1)];
        const at = last?.value.end ?? 0;
        const before = last ? `,${text.slice(text.indexOf("{") + 1, this.parts[0].name.start)}` : "{\n  ";
        const start = at + before.length;
        this.write(at, last ? at : text.length, `${before}${name}: ${value}${last ? "" : "\n}"}`);
        this.parts.push({
            name: { start, end: start + name.length },
            value: { start: start + name.length + 2, end: start + name.length + 2 + value.length },
        });
        this.settle();
    }

    // --- Rows ----------------------------------------------------------------------------------------------------

    show(parts) {
        this.parts = parts;
        this.list.replaceChildren(...parts.map((part, index) => this.row(index)));
        this.mark();
    }

    // Where the fault is: at the last name or value that begins before it.
    mark() {
        const hit = this.parts.findLastIndex((part) => part.name.start <= (this.faultAt ?? -1));
        const isValue = this.faultAt > this.parts[hit]?.name.end;
        [...this.list.children].forEach((row, index) => {
            this.markControl(row.querySelector(".variable-name"), index === hit && !isValue);
            this.markControl(row.querySelector(".variable-value"), index === hit && isValue);
        });
    }

    markControl(control, isAtFault) {
        if (isAtFault) {
            control?.setAttribute("aria-invalid", "true");
            control?.setAttribute("aria-describedby", this.fault.id);
        } else {
            control?.removeAttribute("aria-invalid");
            control?.removeAttribute("aria-describedby");
        }
    }

    // Its name carries the step, as those of the row's other controls do.
    named(control, label) {
        control.id = `variable-${++lastId}`;
        control.setAttribute("aria-label", label);
        if (this.stepName) {
            control.setAttribute("aria-labelledby", `${control.id} ${this.stepName.id}`);
        }
        return control;
    }

    button(label, className, act) {
        const button = made("button", { type: "button", className, textContent: label });
        button.addEventListener("click", act);
        return this.named(button, label);
    }

    // The row of a member, or of one that has no name yet and isn't in the text.
    row(index) {
        let raw = '""'; // while it isn't in the text
        const part = () => this.parts[index];
        const spelled = () => (part() ? this.textarea.value.slice(part().value.start, part().value.end) : raw);
        const spell = (value) => {
            raw = value;
            if (part()) {
                this.write(part().value.start, part().value.end, value);
                this.settle();
            } else {
                this.say({ message: "Name the variable: without a name it isn't saved." });
            }
        };
        const cell = made("div", { className: "variable-cell" });
        const kind = this.kindSelect(index, part()?.value.kind ?? "text", spelled, (chosen, value) => {
            spell(value);
            cell.replaceChildren(this.valueControl(index, chosen, value, spell));
            this.mark();
        });
        cell.replaceChildren(this.valueControl(index, kind.value, spelled(), spell));
        cell.addEventListener("change", () => {
            if ((part()?.value.kind ?? kind.value) !== kind.value) {
                this.read(); // such as true typed as a number
            }
        });
        const remove = this.button(`Remove variable ${index + 1}`, "variable-remove", () => this.remove(index));
        remove.textContent = "×";
        return made("li", {}, this.nameInput(index, () => raw), kind, cell, remove);
    }

    // What was typed as another kind comes back with that kind.
    kindSelect(index, kind, spelled, choose) {
        const options = Object.entries(KINDS).map(([value, label]) => new Option(label, value));
        const select = this.named(made("select", { className: "variable-kind" }, ...options), `Kind of variable ${index + 1}`);
        const earlier = {};
        let before = kind;
        select.value = kind;
        select.addEventListener("change", () => {
            earlier[before] = spelled();
            before = select.value;
            choose(before, earlier[before] ?? converted(spelled(), before));
        });
        return select;
    }

    nameInput(index, raw) {
        const value = this.parts[index]?.name.text ?? "";
        const input = this.named(made("input", { type: "text", className: "variable-name", value, placeholder: "name" }), `Name of variable ${index + 1}`);
        input.setAttribute("list", suggestions.id);
        input.autocomplete = "off";
        input.addEventListener("focus", () => this.offerNames());
        input.addEventListener("input", () => {
            const part = this.parts[index];
            if (part) {
                this.write(part.name.start, part.name.end, JSON.stringify(input.value));
                this.settle();
            } else if (input.value) {
                this.insert(JSON.stringify(input.value), raw());
            }
        });
        return input;
    }

    valueControl(index, kind, raw, spell) {
        if (kind === "null") {
            return made("span", { className: "quiet", textContent: "no value" });
        }
        const value = kind === "text" ? textOf(raw) : raw;
        const className = "variable-value";
        let control = null;
        if (kind === "boolean") {
            control = made("select", { className }, new Option("true"), new Option("false"));
        } else if (kind === "JSON" || /[\n\r]/.test(value)) {
            control = made("textarea", { className, rows: Math.min(value.split("\n").length, 6), spellcheck: kind === "text" });
        } else {
            control = made("input", { className, type: "text", inputMode: kind === "number" ? "decimal" : "text" });
        }
        control.value = value;
        control.addEventListener("input", () => spell(kind === "text" ? JSON.stringify(control.value) : control.value.trim()));
        return this.named(control, `Value of variable ${index + 1}`);
    }

    add() {
        if (this.list.children.length === this.parts.length) {
            this.list.append(this.row(this.parts.length));
        }
        this.list.lastElementChild.querySelector(".variable-name").focus();
    }

    remove(index) {
        const { parts } = this;
        const [part] = parts.splice(index, 1);
        if (part && !parts.length) {
            this.write(0, this.textarea.value.length, "{}");
        } else if (part && index) {
            this.write(parts[index - 1].value.end, part.value.end, "");
        } else if (part) {
            this.write(part.name.start, parts[0].name.start, "");
        }
        this.show(this.members() ?? parts);
        (this.list.children[index]?.querySelector(".variable-name") ?? this.addButton).focus();
    }

    onKey(event) {
        if (event.key === "Enter" && isPlain(event) && event.target.matches("input")) {
            event.preventDefault();
            this.add();
        }
    }

    // Those that other steps with the same template use, and this one doesn't.
    offerNames() {
        const mine = this.textarea.closest(".step-row");
        const template = (row) => row.querySelector("[name$='-template_id']").value;
        const others = mine ? [...mine.parentElement.children].filter((row) => row !== mine && template(row) === template(mine)) : [];
        const names = new Set(others.flatMap((row) => namesIn(row.querySelector(".variables-text").value)));
        for (const part of this.parts) {
            names.delete(part.name.text);
        }
        suggestions.replaceChildren(...[...names].map((name) => made("option", { value: name })));
    }
}

function namesIn(text) {
    try {
        return membersOf(text).members.map((member) => member.name.text);
    } catch {
        return [];
    }
}

function edit(textarea) {
    if (textarea && !editors.has(textarea) && !textarea.readOnly) {
        editors.add(textarea);
        new Editor(textarea);
    }
}

// Those of a campaign's rows are made when they are opened: most never are.
document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.field-variables[open]")) {
        edit(event.target.querySelector(".variables-text"));
    }
}, { capture: true });
for (const textarea of document.querySelectorAll("details[open] .variables-text, form .variables-text:not(details *)")) {
    edit(textarea);
}
