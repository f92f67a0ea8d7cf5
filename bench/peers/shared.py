"""What the peers agree on: the order of keys, and how an error looks."""

from typing import Any

STEP_KEYS = ("id", "campaign_id", "position", "template_id", "template_version_id", "delay_minutes", "variables")
CAMPAIGN_KEYS = ("id", "external_id", "name", "description", "status", "created_at", "updated_at")
EDITABLE = ("draft", "paused")
LIMIT = 100


def envelope(error: str, message: str, **details: Any) -> dict[str, Any]:
    return {"error": error, "message": message, "details": details}


def page(results: Any) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": results}
