// The campaign page: rows of steps that are added, removed and put in order, and a picture that follows them.
// Everything works on the form that the server made; the server judges it all again.

import { isPlain, saveByKeys } from "./keys.js";
import { guard, isUnsaved, markUnsaved } from "./unsaved.js";

const PREVIEW_DELAY_MS = 300;
const IS_BACK = "The step is back where it was.";

const form = document.getElementById("campaign_form");
const rows = document.getElementById("step-rows");
const timeline = document.getElementById("timeline");
const status = document.getElementById("step-status");

function start() {
    const addButton = document.getElementById("add-step");
    form.classList.add("has-script");
    addButton.addEventListener("click", addRow);
    rows.addEventListener("click", onClick);
    rows.addEventListener("keydown", onKey);
    rows.addEventListener("focusin", (event) => {
        if (!before?.row.contains(event.target)) {
            before = null;
        }
    });
    rows.addEventListener("pointerdown", onPointerDown);
    rows.addEventListener("change", onChange);
    form.addEventListener("input", (event) => {
        before = null;
        const row = event.target.closest(".step-row");
        if (row) {
            nameRow(row);
        }
        refreshLater();
    });
    for (const row of rows.children) {
        markVariables(row);
    }
}

// --- Rows --------------------------------------------------------------------------------------------------------

const field = (row, name) => row.querySelector(`[name="${row.dataset.prefix}-${name}"]`);
const isRemoved = (row) => field(row, "DELETE").checked;
const liveRows = () => [...rows.children].filter((row) => !isRemoved(row));

// As StepForm.step_name has it.
function nameRow(row) {
    const [position, template] = ["position", "template_id"].map((name) => field(row, name).value);
    const name = position === "" ? "step without a position" : `step at position ${position}`;
    row.querySelector(".step-name").textContent = template ? `${name} (${template})` : name;
}

// A new row, before `next` or at the end, with the values of some fields.
function newRow(position, next = null, values = {}) {
    const total = document.getElementById("id_steps-TOTAL_FORMS");
    const html = document.getElementById("step-template").innerHTML.replaceAll("__prefix__", total.value);
    const made = document.createElement("template");
    made.innerHTML = html;
    const row = made.content.querySelector(".step-row");
    rows.insertBefore(row, next);
    total.value = Number(total.value) + 1;
    for (const [name, value] of Object.entries({ ...values, position })) {
        field(row, name).value = value;
    }
    nameRow(row);
    markVariables(row);
    pushDown(row);
    field(row, "template_id").focus();
    return row;
}

function addRow() {
    const taken = liveRows().map((row) => positionOf(row) ?? -1);
    newRow(Math.max(-1, ...taken) + 1);
    changed("Step added at the end.");
}

function insertBefore(row) {
    newRow(positionOf(row) ?? 0, row);
    changed("Step inserted; the following steps moved down.");
}

const NOT_COPIED = ["id", "position", "DELETE"];

function duplicate(row) {
    const prefix = `${row.dataset.prefix}-`;
    const copied = [...row.querySelectorAll(`[name^="${prefix}"]`)].map((control) => [control.name.slice(prefix.length), control.value]);
    const values = Object.fromEntries(copied.filter(([name]) => !NOT_COPIED.includes(name)));
    newRow((positionOf(row) ?? -1) + 1, row.nextElementSibling, values);
    changed("Step duplicated; the following steps moved down.");
}

// Takes the place that another step holds.
function takePlace(row) {
    const holder = liveRows().find((other) => other !== row && positionOf(other) === positionOf(row));
    if (holder) {
        holder.before(row);
        pushDown(row);
    }
    row.querySelector(".position-fault").remove();
    field(row, "position").removeAttribute("aria-invalid");
    field(row, "position").focus();
    announce(row);
}

// The steps after a row move down, as far as they are in each other's way.
function pushDown(row) {
    const live = liveRows();
    let last = positionOf(row);
    for (const other of live.slice(live.indexOf(row) + 1)) {
        const position = positionOf(other);
        if (position === null || position > last) {
            return;
        }
        last += 1;
        setPosition(other, last);
    }
}

function setPosition(row, position) {
    const input = field(row, "position");
    row.classList.toggle("is-moved", input.defaultValue !== String(position));
    input.value = position;
    nameRow(row);
}

function onClick(event) {
    const row = event.target.closest(".step-row");
    if (event.target.matches(".up")) {
        move(row, -1);
    } else if (event.target.matches(".down")) {
        move(row, 1);
    } else if (event.target.matches(".insert")) {
        insertBefore(row);
    } else if (event.target.matches(".duplicate")) {
        duplicate(row);
    } else if (event.target.matches(".make-room")) {
        takePlace(row);
    }
}

function onKey(event) {
    if (!isPlain(event)) {
        return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step && event.target.matches(".handle, .up, .down")) {
        event.preventDefault();
        moveByKeys(event.target.closest(".step-row"), step);
        event.target.focus();
    } else if (event.key === "Escape" && before && event.target.matches(".handle, .up, .down")) {
        event.preventDefault();
        putBack();
    } else if (event.key === "Enter" && event.target.matches("input[name$='-DELETE']")) {
        event.preventDefault();
        event.target.click();
    }
}

function onChange(event) {
    const row = event.target.closest(".step-row");
    if (event.target.matches("input[name$='-DELETE']")) {
        row.classList.toggle("is-removed", isRemoved(row));
        changed(isRemoved(row) ? "Step removed. It is gone once the page is saved." : "Step kept.");
    } else if (event.target.matches("textarea")) {
        markVariables(row);
    } else if (event.target.matches("[name$='-position']")) {
        whenPointerIsUp(() => showByPosition(row));
    }
}

function markVariables(row) {
    const text = field(row, "variables").value.trim();
    row.querySelector(".field-variables").classList.toggle("is-filled", text !== "" && text !== "{}");
}

// --- Order -------------------------------------------------------------------------------------------------------

function move(row, by) {
    const others = liveRows();
    const neighbour = others[others.indexOf(row) + by];
    if (!neighbour) {
        status.textContent = by < 0 ? "It is the first step." : "It is the last step.";
        return;
    }
    rows.insertBefore(row, by < 0 ? neighbour : neighbour.nextElementSibling);
    renumber();
    announce(row);
}

// How the rows were before keys began to move `row`, until anything else happens.
let before = null;

function moveByKeys(row, by) {
    const kept = before ?? {
        row,
        order: [...rows.children],
        shown: [...rows.children].map((each) => [each, field(each, "position").value, each.classList.contains("is-moved")]),
        isUnsaved: isUnsaved(),
    };
    move(row, by);
    before = kept;
}

function putBack() {
    const { row, order, shown, isUnsaved: wasUnsaved } = before;
    arrange(order, row);
    for (const [each, position, isMoved] of shown) {
        setPosition(each, position);
        each.classList.toggle("is-moved", isMoved);
    }
    changed(IS_BACK);
    markUnsaved(wasUnsaved);
}

// It is the others that move in the document: what is moved loses the focus.
function arrange(sorted, fixed) {
    const place = sorted.indexOf(fixed);
    fixed.before(...sorted.slice(0, place));
    rows.append(...sorted.slice(place + 1));
}

const positionOf = (row) => (/^\d+$/.test(field(row, "position").value) ? Number(field(row, "position").value) : null);

// The positions stay as they are, gaps and faults included; only which step has which changes.
function renumber() {
    const live = liveRows();
    const positions = live.map(positionOf).filter((position) => position !== null).sort((a, b) => a - b);
    while (positions.length < live.length) {
        positions.push(positions.length ? positions.at(-1) + 1 : 0);
    }
    live.forEach((row, index) => {
        setPosition(row, positions[index]);
    });
}

// A row without a position stays behind the one that it follows.
function showByPosition(typed) {
    let last = -1;
    const keys = new Map([...rows.children].map((row) => [row, last = positionOf(row) ?? last]));
    const sorted = [...rows.children].sort((a, b) => keys.get(a) - keys.get(b));
    if (sorted.every((row, index) => row === rows.children[index])) {
        return;
    }
    arrange(sorted, document.activeElement.closest(".step-row") ?? typed);
    document.activeElement.scrollIntoView({ block: "nearest" });
    announce(typed);
}

// What the pointer is pressed on must not slip away from under it before the click.
let isPointerDown = false;
document.addEventListener("pointerdown", () => { isPointerDown = true; }, { capture: true });
for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => { isPointerDown = false; }, { capture: true });
}

function whenPointerIsUp(act) {
    if (isPointerDown) {
        document.addEventListener("pointerup", () => setTimeout(act), { once: true });
    } else {
        setTimeout(act);
    }
}

function announce(row) {
    const live = liveRows();
    changed(`Step moved to place ${live.indexOf(row) + 1} of ${live.length}.`);
}

function changed(message) {
    before = null;
    markUnsaved();
    status.textContent = message;
    refreshLater();
}

function onPointerDown(event) {
    if (event.target.matches(".handle") && event.button === 0) {
        event.preventDefault();
        event.target.focus();
        drag(event.target.closest(".step-row"), event.clientY);
    }
}

function drag(row, start) {
    const order = [...rows.children];
    const place = liveRows().indexOf(row);
    const ending = new AbortController();
    let y = start;
    let frame = 0;
    const keepUp = () => {
        follow(row, y);
        frame = requestAnimationFrame(keepUp);
    };
    const end = () => {
        ending.abort();
        cancelAnimationFrame(frame);
        row.classList.remove("is-dragged");
    };
    const drop = () => {
        end();
        if (liveRows().indexOf(row) !== place) {
            renumber();
            announce(row);
        }
    };
    const cancel = () => {
        end();
        arrange(order, row);
        status.textContent = IS_BACK;
    };
    const on = (type, act, capture = false) => document.addEventListener(type, act, { signal: ending.signal, capture });
    row.classList.add("is-dragged");
    on("pointermove", (moved) => { y = moved.clientY; });
    on("pointerup", drop);
    on("pointercancel", cancel);
    on("keydown", (pressed) => {
        if (pressed.key === "Escape") {
            pressed.preventDefault();
            pressed.stopPropagation();
            cancel();
        }
    }, true);
    keepUp();
}

// Brings the row to where the pointer is; near the window's edge the page scrolls along, also while the pointer holds still. It is the neighbours that move
// in the document: a touch ends when the element that it began on is moved.
function follow(row, y) {
    const [top, bottom] = [60, window.innerHeight - 110];  // the bar of buttons is at the bottom
    window.scrollBy(0, (Math.min(y - top, 0) + Math.max(y - bottom, 0)) / 4);
    const middle = (other) => other.getBoundingClientRect().top + other.offsetHeight / 2;
    while (row.nextElementSibling && y > middle(row.nextElementSibling)) {
        row.before(row.nextElementSibling);
    }
    while (row.previousElementSibling && y < middle(row.previousElementSibling)) {
        row.after(row.previousElementSibling);
    }
}

// --- Picture -----------------------------------------------------------------------------------------------------

let timer = 0;
let request = null;

function refreshLater() {
    clearTimeout(timer);
    timer = setTimeout(refresh, PREVIEW_DELAY_MS);
}

async function refresh() {
    request?.abort();
    request = new AbortController();
    const data = new FormData(form);
    for (const name of [...data.keys()]) {
        if (!/^steps-|^csrf/.test(name) || name.endsWith("-variables")) {
            data.delete(name);
        }
    }
    timeline.classList.add("is-stale");
    try {
        // A session that has ended leads to the login, whose page would set the browser's CSRF key back to this page's.
        const options = { method: "POST", body: data, redirect: "manual", signal: request.signal };
        const answer = await fetch(timeline.dataset.url, options);
        if (answer.ok) {
            timeline.innerHTML = await answer.text();
            timeline.classList.remove("is-stale");
        }
    } catch {
        // Another edit came first, or the network is away: the picture stays marked as stale until the next edit.
    }
}

if (form) {
    guard(form);
    saveByKeys(form);
    form.querySelector("[aria-invalid='true']")?.focus();
}
if (form && rows) {
    start();
}
