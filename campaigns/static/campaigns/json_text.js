// JSON as it is spelled: what stands where in a text. No value is converted, so numbers keep their digits.

const BLANK = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])/y;
const WORD = /(?:true|false|null)(?!\w)/y;
const KINDS = { string: "text", number: "number", true: "boolean", false: "boolean", null: "null" };

export class Fault {
    constructor(what, text, at) {
        const lines = text.slice(0, at).split("\n");
        this.at = at;
        this.message = `Line ${lines.length}, column ${[...lines.at(-1)].length + 1}: ${what}`;
    }
}

class Reader {
    repeated = null; // the first name that its object has already

    constructor(text) {
        this.text = text;
        this.at = 0;
    }

    // What the pattern finds here, as a span; null if nothing.
    take(pattern) {
        pattern.lastIndex = this.at;
        const found = pattern.exec(this.text);
        if (!found) {
            return null;
        }
        const span = { start: this.at, end: pattern.lastIndex };
        this.at = span.end;
        return span;
    }

    peek() {
        this.take(BLANK);
        return this.text[this.at];
    }

    fail(what) {
        throw new Fault(this.at < this.text.length ? what : `the text ends too early: ${what}`, this.text, this.at);
    }

    value() {
        const first = this.peek();
        if (first === "{" || first === "[") {
            return this.container(first);
        }
        const kind = first === '"' ? "string" : "number";
        const span = this.take(kind === "string" ? STRING : NUMBER);
        if (span) {
            return { ...span, kind: KINDS[kind] };
        }
        const word = kind === "number" && this.take(WORD);
        return word ? { ...word, kind: KINDS[this.text.slice(word.start, word.end)] } : this.noValue(kind);
    }

    noValue(kind) {
        this.fail(kind === "string" ? "this text has no end, or a character that JSON writes as \\…." : "a value is missing here, or is misspelled.");
    }

    container(opening) {
        const closing = opening === "{" ? "}" : "]";
        const start = this.at++;
        const parts = [];
        const names = new Set();
        while (this.peek() !== closing || parts.length) {
            parts.push(opening === "{" ? this.member(names) : { value: this.value() });
            if (this.peek() === closing) {
                break;
            }
            if (this.text[this.at] !== ",") {
                this.fail(`a comma or ${closing} is missing here.`);
            }
            this.at += 1;
        }
        this.at += 1;
        return { start, end: this.at, kind: "JSON", parts };
    }

    member(names) {
        const name = this.peek() === '"' && this.take(STRING);
        if (!name) {
            this.fail('a name in double quotes is missing here.');
        }
        name.text = JSON.parse(this.text.slice(name.start, name.end));
        if (names.has(name.text)) {
            this.repeated ??= new Fault(`the name “${name.text}” is there twice.`, this.text, name.start);
        }
        names.add(name.text);
        if (this.peek() !== ":") {
            this.fail("a colon is missing here.");
        }
        this.at += 1;
        return { name, value: this.value() };
    }
}

// The value, and its first repeated name as a fault. Throws a Fault where the text isn't valid JSON.
export function parse(text) {
    const reader = new Reader(text);
    try {
        const root = reader.value();
        if (reader.peek() !== undefined) {
            reader.fail("nothing may follow the end of the value.");
        }
        return { root, repeated: reader.repeated };
    } catch (error) {
        throw error instanceof RangeError ? new Fault("it is nested too deeply.", text, reader.at) : error;
    }
}

export const isNumber = (text) => new RegExp(`^${NUMBER.source}$`).test(text);

// The text with a line for each member, and every name and value spelled as before.
export function formatted(text, node = parse(text).root, indent = "") {
    if (!node.parts) {
        return text.slice(node.start, node.end);
    }
    const [opening, closing] = [text[node.start], text[node.end - 1]];
    const inner = `${indent}  `;
    const lines = node.parts.map(({ name, value }) => {
        const before = name ? `${text.slice(name.start, name.end)}: ` : "";
        return inner + before + formatted(text, value, inner);
    });
    return lines.length ? `${opening}\n${lines.join(",\n")}\n${indent}${closing}` : opening + closing;
}
