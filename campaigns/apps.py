from django.apps import AppConfig
from django.core.checks import register


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Messaging"  # the first of its sections is called Campaigns
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from campaigns.catalogue.checks import TAG, check_catalogue
        from messaging_project.api.checks import ENVIRONMENT

        register(check_catalogue, TAG, ENVIRONMENT)
