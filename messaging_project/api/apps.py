from django.apps import AppConfig
from django.core.checks import Tags, register


class ApiConfig(AppConfig):
    name = "messaging_project.api"
    label = "messaging_api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from messaging_project import telemetry
        from messaging_project.api.checks import ENVIRONMENT, check_key, check_required_scopes, check_throttles
        from messaging_project.environment import Environment
        from messaging_project.health import check_database

        register(check_required_scopes, ENVIRONMENT)
        register(check_throttles, ENVIRONMENT)
        register(check_key, Tags.security, deploy=True)
        register(check_database, Tags.database, deploy=True)
        telemetry.start(Environment())
