"""What the metrics say of outages."""

from prometheus_client import REGISTRY


def outages(of: str) -> float:
    """How many this process has counted so far."""
    return REGISTRY.get_sample_value("messaging_outages_total", {"of": of}) or 0
