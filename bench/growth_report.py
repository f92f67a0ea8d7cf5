"""The figures of bench.growth as a table in Markdown, and as a plot in SVG."""

from math import log10

ACROSS, WIDTH, HEIGHT, LEFT, TOP = 4, 180, 84, 20, 44
Table = dict[int, dict[str, float]]


def written(table: Table, calls: int) -> str:
    """A row for each call, a column for each number of rows."""
    head = [
        f"| ms (least of {calls}) | {' | '.join(f'{size:,}' for size in table)} |",
        f"| --- |{' --- |' * len(table)}",
    ]
    names = next(iter(table.values()))
    return "\n".join([*head, *(row(name, [of.get(name) for of in table.values()]) for name in names)])


def row(name: str, cells: list[float | None]) -> str:
    return f"| {name} | {' | '.join(map(shown, cells))} |"


def shown(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:,.1f}"


def plot(table: Table) -> str:
    """A small chart for each call, all with the same two logarithmic axes: what is flat costs the same for any size."""
    names = list(next(iter(table.values())))
    size = f'width="{ACROSS * (WIDTH + 2 * LEFT)}" height="{-(-len(names) // ACROSS) * (HEIGHT + TOP + 20)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#1f2328">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for index, name in enumerate(names):
        left, top = index % ACROSS * (WIDTH + 2 * LEFT) + LEFT, index // ACROSS * (HEIGHT + TOP + 20) + TOP
        parts += [f'<g transform="translate({left} {top})">', *chart(name, table), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def chart(name: str, table: Table) -> list[str]:
    found = [(rows, of[name]) for rows, of in table.items() if name in of]
    points = [place(table, *pair) for pair in found]
    ends = zip((points[0], points[-1]), (found[0], found[-1]), strict=True)
    return [
        f'<text y="-22" font-weight="bold">{name}</text>',
        f'<path d="M0 0V{HEIGHT}H{WIDTH}" fill="none" stroke="#c9d1d9"/>',
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="#0b6bcb"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#0b6bcb"/>' for x, y in points),
        *(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{shown(ms)}</text>' for (x, y), (_, ms) in ends),
        f'<text y="{HEIGHT + 14}" fill="#57606a">{min(table):,}</text>',
        f'<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end" fill="#57606a">{max(table):,}</text>',
    ]


def place(table: Table, rows: int, milliseconds: float) -> tuple[float, float]:
    every = [ms for of in table.values() for ms in of.values()]
    return share(rows, list(table)) * WIDTH, HEIGHT - share(milliseconds, every) * HEIGHT


def share(value: float, of: list[int] | list[float]) -> float:
    """Where the value stands between the least and the most, by its logarithm."""
    least, most = log10(min(of)), log10(max(of))
    return (log10(value) - least) / (most - least)
