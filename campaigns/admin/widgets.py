"""Controls that are made without a template: a page has thousands of them, and templates took most of its time."""

from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def control(widget: dict[str, Any]) -> SafeString:
    """The HTML of an input or a text area, from the context that Django's widgets give their templates."""
    name, value, attributes = widget["name"], widget["value"], flatatt(widget["attrs"])
    if "type" not in widget:
        return format_html('<textarea name="{}"{}>\n{}</textarea>', name, attributes, value or "")
    given = flatatt({} if value is None else {"value": str(value)})
    return format_html('<input type="{}" name="{}"{}{}>', widget["type"], name, given, attributes)


class WithoutTemplate(forms.Widget):
    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        return control(context["widget"])


class TextInput(WithoutTemplate, forms.TextInput):
    pass


class NumberInput(WithoutTemplate, forms.NumberInput):
    pass


class HiddenInput(WithoutTemplate, forms.HiddenInput):
    pass


class CheckboxInput(WithoutTemplate, forms.CheckboxInput):
    pass


class Textarea(WithoutTemplate, forms.Textarea):
    pass


class LabelledParts(forms.MultiWidget):
    """Several inputs in a row, each in a label with its unit."""

    units: tuple[str, ...]

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        parts = zip(map(control, context["widget"]["subwidgets"]), self.units, strict=True)
        labels = format_html_join("", '<label>{}<span aria-hidden="true">{}</span></label>', parts)
        return format_html('<span class="delay">{}</span>', labels)
