"""A page that was sent over a newer version, merged with what is stored now: field by field, and nothing written.

A field that one side changed since the page was opened has that side's value. One that both changed is a conflict: the
page shows both values with a choice. The page carries digests of what it showed, and so can tell who changed what.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms.formsets import DELETION_FIELD_NAME as DELETE

from campaigns.admin.words import in_words
from campaigns.canonical_json import canonical
from campaigns.models import CampaignStep
from campaigns.rules import STEP_FIELDS

OVERWRITE = "_overwrite"  # the button that saves a merged page
CHOICE = "choice-"  # goes before a field's name: "mine" or "theirs"
Values = Mapping[str, Any]


def digest(value: Any) -> str:
    text = value.replace("\r\n", "\n") if isinstance(value, str) else value  # as browsers send it
    return hashlib.sha256(canonical(text).encode()).hexdigest()[:12]


def digests(values: Values) -> dict[str, str]:
    return {name: digest(value) for name, value in values.items()}


@dataclass(frozen=True)
class Shown:
    """What a page showed, as digests: its own fields, and those of its steps by their ids."""

    fields: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Values, steps: Iterable[CampaignStep] = ()) -> "Shown":
        return cls(digests(values), {str(step.pk): digests(step.fields._asdict()) for step in steps})

    @classmethod
    def parse(cls, text: str) -> "Shown":
        """What isn't readable tells nothing: then each field that differs is a conflict."""
        try:
            fields, rows = json.loads(text)
            steps = {step_id: dict(zip(STEP_FIELDS, row, strict=True)) for step_id, row in rows.items()}
            return cls(dict(fields), steps)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()

    def __str__(self) -> str:
        rows = {step_id: [row[name] for name in STEP_FIELDS] for step_id, row in self.steps.items()}
        return json.dumps([self.fields, rows], separators=(",", ":"))


@dataclass(frozen=True)
class Conflict:
    """A field that both sides changed."""

    name: str
    label: str
    mine: str
    theirs: str
    is_theirs: bool  # as was chosen on a page that wasn't saved


@dataclass
class Merge:
    """The page to be, as the data of its form; the conflicts; and the fields that were taken from the other side."""

    data: dict[str, Any]
    shown: Shown
    conflicts: list[Conflict] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    @classmethod
    def of_page(cls, sent: Values) -> "Merge":
        """Of what a page sent with what is stored now; of a page that was merged before, only what came after that."""
        data = {name: value for name, value in sent.items() if name != OVERWRITE and not name.startswith(CHOICE)}
        return cls(data, Shown.parse(sent.get("merged_with") or sent.get("shown", "")))

    @property
    def taken_over(self) -> list[str]:
        """What this and the earlier merges of the page took from the other side."""
        earlier = self.data.get("taken", "")
        return list(dict.fromkeys([*filter(None, earlier.split("; ")), *self.taken]))

    def fields(
        self, form: forms.BaseForm, theirs: Values, base: Mapping[str, str], *, prefix: str = "", where: str = ""
    ) -> dict[str, Any]:
        """The data of a form's fields, merged; `prefix` is what the names of the merged page begin with."""
        merged: dict[str, Any] = {}
        for name, value in theirs.items():
            bound = form[name]
            merged |= typed(bound, prefix + name)
            if (mine := _digest_of(form, name)) == digest(value):
                continue
            label = f"{where}{bound.label}"
            if mine == base.get(name):
                merged |= as_typed(bound.field, prefix + name, value)
                self.taken.append(label)
            elif base.get(name) != digest(value) or CHOICE + bound.html_name in form.data:
                mine_in_words = in_words(name, _value_of(form, name))
                self._conflict(bound, prefix + name, label, mine_in_words, in_words(name, value))
        return merged

    def _conflict(self, bound: forms.BoundField, name: str, label: str, mine: str, theirs: str) -> None:
        is_theirs = bound.form.data.get(CHOICE + bound.html_name) == "theirs"
        self.conflicts.append(Conflict(CHOICE + name, label, mine, theirs, is_theirs))

    # --- Steps -------------------------------------------------------------------------------------------------------

    def steps(self, formset: Any, stored: Mapping[str, CampaignStep], elsewhere: set[str]) -> None:
        """Merge the rows of a campaign's page into the data; `elsewhere` are the positions that other pages hold."""
        rows: list[dict[str, Any]] = []
        for form in formset.by_position:
            if (row := self._row(formset, form, stored, f"{formset.prefix}-{len(rows)}-")) is not None:
                rows.append(row)
        sent = {form["id"].value() for form in formset.forms}
        for step_id, step in stored.items():
            if step_id not in sent and self.shown.steps.get(step_id) != digests(step.fields._asdict()):
                rows.append(_added_by_them(formset.empty_form, step, f"{formset.prefix}-{len(rows)}-"))
                self.taken.append(f"Position {step.position}: the whole step")
        counts = {"TOTAL_FORMS": len(rows), "INITIAL_FORMS": min(len(rows), formset.initial_form_count())}
        for name in [name for name in self.data if re.match(rf"{formset.prefix}-\d", name)]:
            del self.data[name]
        self.data |= {f"{formset.prefix}-{name}": str(count) for name, count in counts.items()}
        _make_room(rows, formset.prefix, elsewhere)
        for row in rows:
            self.data |= row

    def _row(self, formset: Any, form: Any, stored: Mapping[str, CampaignStep], prefix: str) -> dict[str, Any] | None:
        """The data of one row; None where it is no more."""
        step_id = form["id"].value() or ""
        base = self.shown.steps.get(step_id, {})
        removed = {prefix + DELETE: "on"} if form[DELETE].value() else {}
        is_asked = CHOICE + form[DELETE].html_name in form.data
        step = stored.get(step_id)
        where = f"Position {form['position'].value()}: "
        if step is not None and not removed:
            theirs = step.fields._asdict()
            return {prefix + "id": step_id} | self.fields(form, theirs, base, prefix=prefix, where=where)
        mine = {name: value for each in STEP_FIELDS for name, value in typed(form[each], prefix + each).items()}
        if step is not None:
            if base != digests(step.fields._asdict()) or is_asked:
                self._conflict(form[DELETE], prefix + DELETE, f"{where}the step", "removed", "kept, as it was changed")
                mine = _values_as_typed(form, step, prefix)
            return {prefix + "id": step_id} | mine | removed
        if step_id:
            if removed or all(_digest_of(form, name) == base.get(name) for name in STEP_FIELDS):
                self.taken.append(f"{where}the removal")
                return None
            is_asked = True
        if is_asked:
            self._conflict(form[DELETE], prefix + DELETE, f"{where}the step", "added again, as you have it", "deleted")
        return {prefix + "id": ""} | mine | removed if form.has_changed() else None


def _make_room(rows: list[dict[str, Any]], prefix: str, elsewhere: set[str]) -> None:
    """A new row of mine goes to the next free position where one of theirs holds its own."""
    held = elsewhere | {
        row[f"{prefix}-{index}-position"] for index, row in enumerate(rows) if row[f"{prefix}-{index}-id"]
    }
    for index, row in enumerate(rows):
        name = f"{prefix}-{index}-position"
        if row[f"{prefix}-{index}-id"] or row[name] not in held or not row[name].isdecimal():
            continue
        while row[name] in held:
            row[name] = str(int(row[name]) + 1)
        held.add(row[name])


def _added_by_them(form: Any, step: CampaignStep, prefix: str) -> dict[str, Any]:
    return {prefix + "id": str(step.pk)} | _values_as_typed(form, step, prefix)


def _values_as_typed(form: forms.BaseForm, step: CampaignStep, prefix: str) -> dict[str, Any]:
    values = step.fields._asdict().items()
    return {
        key: text for name, value in values for key, text in as_typed(form.fields[name], prefix + name, value).items()
    }


# --- Choices ---------------------------------------------------------------------------------------------------------


def with_choices(
    data: Mapping[str, Any], field_of: Callable[[str], forms.Field | None], stored: Callable[[str], Any]
) -> dict[str, Any]:
    """The data of a merged page, with the other side's value wherever it was chosen.

    `stored` gives the value of a field by its name on the page; it raises KeyError where there is none.
    """
    chosen = dict(data.items())
    for choice in [name for name, value in data.items() if name.startswith(CHOICE) and value == "theirs"]:
        name = choice.removeprefix(CHOICE)
        if name.endswith(f"-{DELETE}"):
            if chosen.pop(name, None) is None:
                chosen[name] = "on"
        elif (form_field := field_of(name)) is not None:
            try:
                chosen |= as_typed(form_field, name, stored(name))
            except KeyError:
                continue
    return chosen


# --- A field's value, as it is typed, sent and read ------------------------------------------------------------------


def as_typed(form_field: forms.Field, name: str, value: Any) -> dict[str, str]:
    """What a page sends for a field with this value."""
    value = form_field.prepare_value(value)
    widget: Any = form_field.widget
    if isinstance(widget, forms.MultiWidget):
        parts = zip(suffixes(widget), widget.decompress(value) or (), strict=True)
        return {name + suffix: "" if part is None else str(part) for suffix, part in parts}
    return {name: "" if value is None else str(value)}


def typed(bound: forms.BoundField, name: str) -> dict[str, str]:
    """What the page sent for a field, under another name."""
    widget = bound.field.widget
    return {name + suffix: bound.form.data.get(bound.html_name + suffix, "") for suffix in suffixes(widget)}


def suffixes(widget: Any) -> list[str]:
    """What follows a field's name in the names of its widget's parts."""
    return widget.widgets_names if isinstance(widget, forms.MultiWidget) else [""]  # type: ignore[attr-defined]


def _digest_of(form: forms.BaseForm, name: str) -> str | None:
    return digest(form.cleaned_data[name]) if name in form.cleaned_data else None


def _value_of(form: forms.BaseForm, name: str) -> Any:
    return form.cleaned_data.get(name, form[name].value())
