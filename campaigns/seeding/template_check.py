"""Refusing rows whose template versions the catalogue hasn't got (`seed_campaigns --check-templates`)."""

from collections.abc import Iterator

from django.conf import settings

from campaigns.catalogue import Answer, TemplateVersion
from campaigns.catalogue.asking import asker
from campaigns.catalogue.findings import unknown
from campaigns.rules import Fault
from campaigns.seeding.rows import STEP_COLUMNS, Refuse, Row, RowRefused, Step, UnusableInput
from campaigns.seeding.sources import Source
from campaigns.seeding.staging import batches

MAX_KNOWN = 100_000  # answers that are remembered for rows to come, and for a second reading
PLACES = [STEP_COLUMNS.index(name) for name in TemplateVersion._fields]


class TemplateCheck:
    """What the catalogue has said of a load's template versions. A load that reads its input twice keeps it."""

    def __init__(self) -> None:
        """Raises UnusableInput."""
        if not settings.TEMPLATE_CATALOGUE:
            raise UnusableInput("--check-templates asks the template catalogue: set TEMPLATE_CATALOGUE.")
        self._known: dict[TemplateVersion, Answer] = {}

    def unknown(self, batch: list[Row]) -> set[TemplateVersion]:
        """The versions that rows name and the catalogue hasn't got. Raises UnusableInput if it can't be asked."""
        wanted = {version_of(step) for _, _, step in batch if step}
        if len(self._known) > MAX_KNOWN:
            self._known.clear()
        self._known |= asker().ask(wanted - self._known.keys())
        if unasked := len(wanted - self._known.keys()):
            versions = f"{unasked:,} template version{'' if unasked == 1 else 's'}"
            raise UnusableInput(f"The template catalogue could not be asked about {versions}: try again later.")
        return {version for version in wanted if not self._known[version].exists}


class CheckedSource:
    """A source whose rows with unknown template versions are refused. A batch of its rows is in memory."""

    def __init__(self, source: Source, check: TemplateCheck) -> None:
        self.name, self.size = source.name, source.size
        self.position, self.digest = source.position, source.digest
        self._source = source
        self._check = check

    def rows(self, refuse: Refuse) -> Iterator[Row]:
        for batch in batches(self._source.rows(refuse)):
            unknown_ones = self._check.unknown(batch)
            for row in batch:
                if row[2] and version_of(row[2]) in unknown_ones:
                    row_refused = _refused(row, version_of(row[2]))
                    refuse(row_refused)
                    yield from row_refused.rest
                else:
                    yield row


def version_of(step: Step) -> TemplateVersion:
    return TemplateVersion(*(step[place] for place in PLACES))


def _refused(row: Row, version: TemplateVersion) -> RowRefused:
    line, campaign, _ = row
    fault = Fault((), "unknown_version", unknown(version))
    return RowRefused(line, [("template_version_id", fault)], campaign)
