"""Compares a generated OpenAPI document with the published description of one operation."""

from collections.abc import Iterator
from typing import Any

# What may stand in a document beside what was published: words for people, and limits.
ANNOTATIONS = frozenset({"description", "example", "examples", "title", "summary"})
LIMITS = frozenset({"minimum", "maximum", "minLength", "maxLength", "pattern", "default"})


def departures(published: dict[str, Any], document: dict[str, Any], path: str, method: str) -> list[str]:
    """Where `document` breaks what `published` promises of an operation; nothing where clients of either are served.

    The document may add statuses, optional parameters, headers, words and, to what is sent, limits. It may not drop,
    rename or retype anything, require more, or answer with other keys.
    """
    operation = document["paths"].get(path, {}).get(method)
    if operation is None:
        return [f"{method.upper()} {path} is gone"]
    return list(_Comparison(published, document).operation(published[method], operation))


class _Comparison:
    """Walks two documents side by side, each with its own references."""

    def __init__(self, published: dict[str, Any], document: dict[str, Any]) -> None:
        self.published = published
        self.document = document

    def operation(self, published: dict[str, Any], ours: dict[str, Any]) -> Iterator[str]:
        yield from self.parameters(published["parameters"], ours.get("parameters", []))
        body = ours.get("requestBody", {})
        if not body.get("required"):
            yield "requestBody: not required"
        yield from self.content("requestBody", published["requestBody"], body, LIMITS)
        for status, response in published["responses"].items():
            answer = resolve(self.document, ours["responses"].get(status, {}))
            yield from self.content(status, response, answer, frozenset({"readOnly"}))

    def parameters(self, published: list[Any], ours: list[Any]) -> Iterator[str]:
        given = {(it["in"], it["name"]): it for it in (resolve(self.document, it) for it in ours)}
        for promised in published:
            place, name = promised["in"], promised["name"]
            where = f"{place} parameter {name}"
            found = given.pop((place, name), None)
            if found is None:
                yield f"{where}: gone"
                continue
            if found.get("required", False) != promised["required"]:
                yield f"{where}: required is {found.get('required', False)}"
            yield from self.schema(where, promised["schema"], found.get("schema", {}), frozenset())
        yield from (f"{place} parameter {name}: required" for (place, name), it in given.items() if it.get("required"))

    def content(self, where: str, published: Any, ours: Any, extra: frozenset[str]) -> Iterator[str]:
        for media_type, promised in published["content"].items():
            found = ours.get("content", {}).get(media_type)
            if found is None:
                yield f"{where}: no {media_type}"
            else:
                yield from self.schema(where, promised["schema"], found["schema"], extra)

    def schema(self, where: str, published: Any, ours: Any, extra: frozenset[str]) -> Iterator[str]:
        published, ours = resolve(self.published, published), resolve(self.document, ours)
        words = (published.keys() | ours.keys()) - ANNOTATIONS - (extra - published.keys())
        for word in sorted(words):
            if word == "properties":
                yield from self.properties(where, published.get(word, {}), ours.get(word, {}), extra)
            elif word == "required":
                if set(published.get(word, ())) != set(ours.get(word, ())):
                    yield f"{where}: required are {sorted(ours.get(word, ()))}"
            elif published.get(word) != ours.get(word):
                yield f"{where}: {word} is {ours.get(word)!r}, not {published.get(word)!r}"

    def properties(self, where: str, published: Any, ours: Any, extra: frozenset[str]) -> Iterator[str]:
        for name in sorted(published.keys() | ours.keys()):
            if name not in ours:
                yield f"{where}.{name}: gone"
            elif name not in published:
                yield f"{where}.{name}: new"
            else:
                yield from self.schema(f"{where}.{name}", published[name], ours[name], extra)


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` within the document stands for; anything else itself."""
    while "$ref" in node:
        target: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]
        node = target
    return node
