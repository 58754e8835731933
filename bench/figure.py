"""The result of the isolation experiment as one drawing, readable in light and in dark."""

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 56, 56
_STYLE = """
  .ink{fill:#1b1f24} .soft{fill:#57606a} .rule{stroke:#d0d7de} .paper{fill:#ffffff}
  .s0{stroke:#a40e26;fill:#a40e26} .s1{stroke:#8a4600;fill:#8a4600}
  .s2{stroke:#0550ae;fill:#0550ae} .s3{stroke:#57606a;fill:#57606a}
  @media (prefers-color-scheme:dark){
    .ink{fill:#e6edf3} .soft{fill:#9da7b3} .rule{stroke:#3d444d} .paper{fill:#0d1117}
    .s0{stroke:#ff938a;fill:#ff938a} .s1{stroke:#f0b072;fill:#f0b072}
    .s2{stroke:#79c0ff;fill:#79c0ff} .s3{stroke:#b1bac4;fill:#b1bac4}
  }
  text{font:14px system-ui,sans-serif} .title{font-size:16px;font-weight:600}
  path[class]{fill:none;stroke-width:2.5} path.rule{stroke-width:1} text[class^=s]{stroke:none}
"""
# So that the lines can be told apart without their colors.
_DASHES = ("", "9 4", "", "2 4")
_MARKS = ("square", "triangle", "circle", "diamond")


def drawing(
    lines: Mapping[str, Sequence[tuple[float, float]]], title: str, about: str, foot: str
) -> str:
    """An SVG; `lines` are p99 in milliseconds by load, in multiples of what the other can do."""
    loads = sorted({x for points in lines.values() for x, _ in points})
    most = max(y for points in lines.values() for _, y in points)
    least = min(y for points in lines.values() for _, y in points)
    low, high = 10 ** math.floor(math.log10(least)), 10 ** math.ceil(math.log10(most * 1.01))
    high = max(high, low * 10)

    def at(x: float, y: float) -> tuple[float, float]:
        across = loads.index(x) / max(1, len(loads) - 1)
        up = math.log10(max(y, low) / low) / math.log10(high / low)
        plot = HEIGHT - TOP - BOTTOM
        return LEFT + across * (WIDTH - LEFT - RIGHT), TOP + (1 - up) * plot

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="title about">',
        f'<title id="title">{title}</title>',
        f'<desc id="about">{about}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="ink title" x="16" y="26">{title}</text>',
        '<text class="soft" x="16" y="46">milliseconds, 99th percentile</text>',
        *_grid(loads, low, high, at),
        *_lines(lines, at),
        f'<text class="soft" x="16" y="{HEIGHT - 10}">{foot}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(loads, low, high, at) -> list[str]:
    parts: list[str] = []
    value = low
    while value <= high:
        _, y = at(loads[0], value)
        parts.append(
            f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="soft" x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>'
        )
        value *= 10
    for load in loads:
        x, _ = at(load, low)
        parts.append(
            f'<text class="soft" x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" '
            f'text-anchor="middle">{load:g}×</text>'
        )
    return parts


def _lines(lines, at) -> list[str]:
    parts: list[str] = []
    taken: list[float] = []
    ends = sorted(enumerate(lines.items()), key=lambda each: at(*sorted(each[1][1])[-1])[1])
    for number, (name, points) in ends:
        spots = [at(*point) for point in sorted(points)]
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
        parts.append(f'<path class="s{number}" d="M{way}"{dash}/>')
        parts += [_mark(number, x, y) for x, y in spots]
        y = max(spots[-1][1] + 5, taken[-1] + 18 if taken else 0)
        taken.append(y)
        parts.append(
            f'<text class="s{number}" x="{spots[-1][0] + 12:.1f}" y="{y:.1f}">{name}</text>'
        )
    return parts


def _mark(number: int, x: float, y: float) -> str:
    match _MARKS[number]:
        case "circle":
            return f'<circle class="s{number}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        case "square":
            return f'<rect class="s{number}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
        case "triangle":
            corners = ((0, -5), (5, 4), (-5, 4))
        case _:
            corners = ((0, -6), (6, 0), (0, 6), (-6, 0))
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon class="s{number}" points="{points}"/>'
