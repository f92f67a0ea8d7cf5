"""A page as its reader finds it: the values of its form, ready to be changed and sent back, and its text."""

from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign

LISTS_AND_FORMS = (  # the first page, lists and empty forms
    "/admin/",
    "/admin/campaigns/campaign/",
    "/admin/campaigns/campaign/add/",
    "/admin/campaigns/campaignstep/",
    "/admin/campaigns/campaignstep/add/",
    "/admin/campaigns/historyentry/",
)
VOID = ("input", "link", "meta", "br", "img", "hr")


class FormReader(HTMLParser):
    """Collects what a browser would send for the page's POST form, submit buttons left out."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, str] = {}
        self.inputs: dict[str, list[str]] = {}  # those that bear a name several times included
        self.buttons: set[str] = set()
        self._in_form = False
        self._in_template = 0
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        if tag == "form":
            self._in_form = found.get("method") == "post" and "logout" not in (found.get("action") or "")
        elif tag == "template":
            self._in_template += 1
        elif not name or not self._in_form or self._in_template:
            return
        elif tag == "textarea":
            self._textarea = name
            self.data[name] = ""
        elif tag == "button" or found.get("type") == "submit":
            self.buttons.add(name)
        elif tag == "input" and (found.get("type") != "checkbox" or "checked" in found):
            self.data[name] = found.get("value") or ("on" if found.get("type") == "checkbox" else "")
            self.inputs.setdefault(name, []).append(self.data[name])

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None
        elif tag == "template":
            self._in_template -= 1

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self.data[self._textarea] += data

    @classmethod
    def of(cls, response: Any) -> "FormReader":
        reader = cls()
        reader.feed(response.content.decode())
        reader.data.pop("csrfmiddlewaretoken", None)  # another one on each page; Django's test client needs none
        for name, value in reader.data.items():
            reader.data[name] = value.removeprefix("\n")  # HTML drops a line break right after <textarea>
        return reader


def campaign_url(campaign_id: UUID, page: str = "change") -> str:
    return reverse(f"admin:campaigns_campaign_{page}", args=[campaign_id])


def status_url(campaign: Campaign, target: str) -> str:
    return reverse("admin:campaigns_campaign_status", args=[campaign.pk, target])


def opened(client: Client, campaign: Campaign) -> dict[str, str]:
    """The form of the campaign's page as it is now."""
    return FormReader.of(client.get(campaign_url(campaign.pk))).data


def buttons(client: Client, campaign: Campaign) -> set[str]:
    return FormReader.of(client.get(campaign_url(campaign.pk))).buttons


def save(client: Client, campaign: Campaign, form: dict[str, str], button: str = "_save") -> HttpResponse:
    return client.post(campaign_url(campaign.pk), {**form, button: "1"})  # type: ignore[return-value]


def delete(client: Client, url: str) -> HttpResponse:
    """Open the page that asks first, and say yes."""
    return client.post(url, FormReader.of(client.get(url)).data)  # type: ignore[return-value]


def row(number: int, **fields: Any) -> dict[str, str]:
    """The fields of a step's row, e.g. row(2, position=5)."""
    return {f"steps-{number}-{name}": str(value) for name, value in fields.items()}


def with_new_row(form: dict[str, str], **fields: Any) -> dict[str, str]:
    """The form with a row added, as the button "Add step" does."""
    number = int(form["steps-TOTAL_FORMS"])
    return {**form, "steps-TOTAL_FORMS": str(number + 1), **row(number, **fields)}


def errors_of(response: Any) -> dict[str, list[str]]:
    """Every message of the page's form, by the name of the field it stands at."""
    form = response.context["adminform"].form
    found = {name: list(messages) for name, messages in form.errors.items()}
    for step in form.steps or ():
        found |= {f"{step.prefix}-{name}": list(messages) for name, messages in step.errors.items()}
    if form.steps and form.steps.non_form_errors():
        found["steps"] = list(form.steps.non_form_errors())
    return found


def messages_of(response: Any) -> list[str]:
    """What the page that a redirect leads to says."""
    return [str(message) for message in response.wsgi_request._messages]
