"""The template catalogue: what a service that keeps message templates can tell about them.

settings.TEMPLATE_CATALOGUE names what makes one. Without it, template ids are opaque, and nothing here runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TemplateVersion(NamedTuple):
    """The version of a template that a step names."""

    template_id: str
    template_version_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the catalogue says of a TemplateVersion."""

    exists: bool
    variables: Mapping[str, bool] | None = None  # each that it declares, and whether it must be given; None: not known
    newest: str | None = None  # the newest version of the template; None: not known


Answers = Mapping[TemplateVersion, Answer]


class Template(NamedTuple):
    """A template to choose, with its versions, the newest first."""

    template_id: str
    versions: Sequence[str]


class TemplateCatalogue(Protocol):
    """What the callable that TEMPLATE_CATALOGUE names returns, once in each process.

    It is called from several threads at once, and never inside a transaction. Whatever it raises, and an answer later
    than TEMPLATE_CATALOGUE_TIMEOUT_MS, means that it couldn't be asked. Who waits goes on without it then, but its
    thread is not ended: it must limit its own waits.
    """

    def look_up(self, versions: Sequence[TemplateVersion]) -> Answers:
        """What is known of each of up to 500 versions. One that is left out counts as not asked about."""

    def search(self, prefix: str, limit: int) -> Sequence[Template]:
        """Up to `limit` templates whose ids begin with `prefix`; the one that is called so, if any, comes first."""
