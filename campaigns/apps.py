from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        super().import_models()
        from campaigns import history  # noqa: F401 - its table belongs to this app
        from campaigns.seeding import marks  # noqa: F401 - likewise
