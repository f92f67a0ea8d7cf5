"""Staff pages. They change campaigns through `steps`, `many_steps` and `lifecycle` only, as the API does.

docs/admin.md lists every way in which Django's admin writes, and where it ends.
"""

from campaigns.admin import campaign_page, history_page, step_page

__all__ = ["campaign_page", "history_page", "step_page"]
