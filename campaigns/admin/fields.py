"""Form fields that judge by the rules of `rules.py` and keep what was typed, faults included."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from campaigns.models import FieldValidator
from messaging_project.strict_json import JSONError, loads

MINUTES_PER_DAY = 24 * 60


class OpaqueIdField(forms.CharField):
    """An id that another system gave, exactly as it is typed: white space is part of it."""

    default_validators = [FieldValidator("step", "template_id")]  # noqa: RUF012 - as Django declares it

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)


class PositionField(forms.IntegerField):
    default_validators = [FieldValidator("step", "position")]  # noqa: RUF012

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"min": 0, "inputmode": "numeric"}


class VariablesField(forms.CharField):
    """A JSON object as text; an empty text is `{}`. A fault is reported with its line and column, or its name."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "variables-text"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, required=False, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        if not text or text.isspace():
            return {}
        try:
            variables: dict[str, Any] = loads(text, subject="This")
        except JSONError as error:
            raise ValidationError(str(error), code="invalid_json") from None
        FieldValidator("step", "variables")(variables)
        return variables


class DelayWidget(forms.MultiWidget):
    template_name = "campaigns/delay_input.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        parts: dict[str, forms.Widget | type[forms.Widget]] = {
            unit: forms.NumberInput({"min": 0, "placeholder": "0", "inputmode": "numeric", "aria-label": unit})
            for unit in ("days", "hours", "minutes")
        }
        super().__init__(parts, attrs)

    def decompress(self, value: int | None) -> list[int | None]:
        if value is None:
            return [None, None, None]
        days, rest = divmod(value, MINUTES_PER_DAY)
        return [part or None for part in (days, *divmod(rest, 60))]


class DelayField(forms.MultiValueField):
    """Minutes, typed as days, hours and minutes; each may be left empty, and 90 minutes are as good as 1 hour 30."""

    widget = DelayWidget

    def __init__(self, **kwargs: Any) -> None:
        parts = [forms.IntegerField(min_value=0, required=False) for _ in range(3)]
        super().__init__(parts, required=False, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[int | None]) -> int:
        days, hours, minutes = (part or 0 for part in data_list or (0, 0, 0))
        total = days * MINUTES_PER_DAY + hours * 60 + minutes
        FieldValidator("step", "delay_minutes")(total)
        return total
