"""UUIDs as the project gives them out."""

import re
from uuid import UUID

CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def parse_uuid(text: str) -> UUID | None:
    """The UUID that `text` spells in canonical form (RFC 9562, section 4), or None for any other text."""
    return UUID(text) if CANONICAL.fullmatch(text) else None
