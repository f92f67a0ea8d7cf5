"""The figures as a table in Markdown, and as bars in SVG."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

BAR, GAP, LEFT, WIDTH = 22, 8, 250, 420


class Measure(NamedTuple):
    """One round of one service: answers per second, CPU per answer, and how long answers took."""

    rate: float
    service_ms: float
    database_ms: float
    load_ms: float
    p50_ms: float
    p99_ms: float


def median(measures: Sequence[Measure]) -> Measure:
    return Measure(*(statistics.median(values) for values in zip(*measures, strict=True)))


def table(measures: dict[str, list[Measure]], memory: dict[str, float]) -> str:
    """The medians of each service, with the spread of the rate."""
    lines = [
        "| | answers/s (least to most) | CPU of the service, ms | of PostgreSQL, ms | p50, ms | p99, ms | memory, MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rounds in measures.items():
        of, rates = median(rounds), [measure.rate for measure in rounds]
        lines.append(
            f"| {name} | {of.rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) "
            f"| {of.service_ms:.2f} | {of.database_ms:.2f} | {of.p50_ms:.1f} | {of.p99_ms:.1f} | {memory[name]:.0f} |"
        )
    return "\n".join(lines)


def plot(title: str, measures: dict[str, Measure]) -> str:
    """Bars from zero: the CPU time of one answer in the service, and after it that in the database."""
    height = len(measures) * (BAR + GAP) + 40
    scale = WIDTH / max(of.service_ms + of.database_ms for of in measures.values())
    size = f'width="{LEFT + WIDTH + 120}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold" fill="#1f2328">{title}: ms of CPU, service + PostgreSQL</text>',
    ]
    for index, (name, of) in enumerate(measures.items()):
        y = 36 + index * (BAR + GAP)
        color = "#0b6bcb" if "**" in name else "#7d8793"
        end = LEFT + of.service_ms * scale
        after = end + of.database_ms * scale
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end" fill="#1f2328">{name.replace("*", "")}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{of.service_ms * scale:.1f}" height="{BAR}" fill="{color}"/>',
            f'<rect x="{end:.1f}" y="{y}" width="{of.database_ms * scale:.1f}" height="{BAR}" fill="#c9d1d9"/>',
            f'<text x="{after + 6:.1f}" y="{y + 15}" fill="#1f2328">{of.service_ms:.2f} + {of.database_ms:.2f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
