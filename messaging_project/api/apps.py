from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "messaging_project.api"
    label = "messaging_api"
    default_auto_field = "django.db.models.BigAutoField"
