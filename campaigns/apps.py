from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Messaging"  # the first of its sections is called Campaigns
    default_auto_field = "django.db.models.BigAutoField"
