from django.conf import settings
from django.contrib.admin.apps import AdminConfig


class StaffConfig(AdminConfig):
    """Django's admin, with the site that the settings name."""

    default_site: str = settings.STAFF_SITE
