"""A catalogue that is written down: for a demo, for tests, and as an example."""

from collections.abc import Mapping, Sequence

from campaigns.catalogue import Answer, Answers, Template, TemplateVersion

# Template id, then version id from the oldest on, then each variable and whether it must be given.
Templates = Mapping[str, Mapping[str, Mapping[str, bool]]]


class MemoryCatalogue:
    """Answers from what it was made with."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def look_up(self, versions: Sequence[TemplateVersion]) -> Answers:
        return {version: self._answer(*version) for version in versions}

    def search(self, prefix: str, limit: int) -> list[Template]:
        names = sorted(name for name in self._templates if name.startswith(prefix))
        return [Template(name, [*self._templates[name]][::-1]) for name in names[:limit]]

    def _answer(self, template_id: str, version_id: str) -> Answer:
        versions = self._templates.get(template_id, {})
        newest = [*versions][-1] if versions else None
        return Answer(version_id in versions, versions.get(version_id), newest)


def demo() -> MemoryCatalogue:
    """The templates of `load_demo`: one has a newer version, and one asks for a variable that its step lacks."""
    return MemoryCatalogue(
        {
            "tmpl_first_project": {"tmpl_first_project_v1": {"guide_url": True}},
            "tmpl_offer_help": {
                "tmpl_offer_help_v1": {"sender": True},
                "tmpl_offer_help_v2": {"sender": True, "reply_within_hours": False, "calendar_url": True},
            },
            "tmpl_survey": {"tmpl_survey_v1": {"question": True}},
            "tmpl_trial_ended": {"tmpl_trial_ended_v1": {}},
            "tmpl_trial_offer": {
                "tmpl_trial_offer_v1": {"days_left": True},
                "tmpl_trial_offer_v2": {"days_left": True, "discount": False},
            },
            "tmpl_trial_reminder": {"tmpl_trial_reminder_v5": {"days_left": True}},
            "tmpl_welcome": {
                "tmpl_welcome_v3": {"headline": True, "sender": True},
                "tmpl_welcome_v4": {"headline": True, "sender": True, "portrait_url": False},
            },
        }
    )
