// What a page sends is kept in this tab until its answer is there. Where a login or the page about a missing key comes
// instead, it is shown again afterwards: to the same user, on the same page, with the version that this page showed.

const KEY = "campaigns-sent";
const user = document.querySelector("meta[name='staff-user']")?.content;

function kept() {
    try {
        return JSON.parse(sessionStorage.getItem(KEY));
    } catch {
        return null;
    }
}

const drop = () => sessionStorage.removeItem(KEY);

function write(entry) {
    try {
        sessionStorage.setItem(KEY, JSON.stringify(entry));
    } catch {
        drop();  // more than the browser keeps
    }
}

export function keep(form) {
    form.addEventListener("submit", () => {
        const fields = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
        write({ user, path: location.pathname, fields, isRefused: false });
    });
}

// The server makes the page from what was sent; nothing is saved.
function showAgain(fields) {
    const form = document.createElement("form");
    form.method = "post";
    form.hidden = true;
    const token = document.querySelector("[name='csrfmiddlewaretoken']").value;
    for (const [name, value] of [...fields, ["csrfmiddlewaretoken", token], ["_show_again", "1"]]) {
        const field = document.createElement("textarea");  // an input would drop line breaks
        field.name = name;
        field.defaultValue = value;
        form.append(field);
    }
    document.body.append(form);
    form.submit();
}

function start(entry) {
    const wayBack = document.getElementById("back-to-what-was-sent");
    if (document.getElementById("login-form") || wayBack) {
        write({ ...entry, isRefused: true });
        if (wayBack) {
            wayBack.hidden = false;
            wayBack.querySelector("a").href = entry.path;
        }
    } else if (user && (user !== entry.user || !entry.isRefused)) {
        drop();
    } else if (user && location.pathname === entry.path) {
        drop();
        showAgain(entry.fields);
    }
}

const logouts = new BroadcastChannel("campaigns-logout");
logouts.addEventListener("message", drop);
document.getElementById("logout-form")?.addEventListener("submit", () => {
    drop();
    logouts.postMessage("");
});

const entry = kept();
if (entry) {
    start(entry);
}
