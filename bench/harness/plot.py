"""Plots as SVG: lines on logarithmic axes, and bars. Colours are legible on white and on black."""
import math
from xml.sax.saxutils import escape

colours = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")
grey = "#808080"
font = 'font-family="sans-serif" font-size="12"'


def text(x, y, words, anchor="start", fill=grey, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" {more}>{escape(words)}</text>'


def svg(width, height, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {font}>',
                      *parts, "</svg>", ""])


def short(value):
    """1200000 -> 1.2M; 0.003 -> 3m."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ")):
        if abs(value) >= bound * 0.9995:
            return f"{value / bound:.3g}{unit}"
    return f"{value:.3g}"


class Axis:
    """One logarithmic axis over whole decades."""

    def __init__(self, values, begin, end):
        values = [value for value in values if value > 0]
        self.low = math.floor(math.log10(min(values)) + 1e-9)
        self.high = max(self.low + 1, math.ceil(math.log10(max(values)) - 1e-9))
        self.begin, self.end = begin, end

    def place(self, value):
        return self.begin + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def lines(title, series, axes):
    """series: label -> [(x, y)...]; axes: words for x and y."""
    width, height, left, bottom, legend = 760, 400, 70, 350, 220
    points = [point for line in series.values() for point in line]
    x_axis = Axis([x for x, _ in points], left, width - legend)
    y_axis = Axis([y for _, y in points], bottom, 40)
    parts = [text(left, 22, title, more='font-weight="bold"')]
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        parts.append(f'<path d="M{x:.1f} {bottom}V40" stroke="{grey}" stroke-opacity=".25"/>')
        parts.append(text(x, bottom + 18, short(tick), "middle"))
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(f'<path d="M{left} {y:.1f}H{width - legend}" stroke="{grey}" stroke-opacity=".25"/>')
        parts.append(text(left - 8, y + 4, short(tick), "end"))
    parts.append(text((left + width - legend) / 2, height - 10, axes[0], "middle"))
    parts.append(text(14, 200, axes[1], "middle", more='transform="rotate(-90 14 200)"'))
    for number, (label, line) in enumerate(series.items()):
        colour = colours[number % len(colours)]
        places = [(x_axis.place(x), y_axis.place(y)) for x, y in line]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = 50 + 20 * number
        parts.append(f'<path d="M{width - legend + 16} {y}h20" stroke="{colour}" stroke-width="3"/>')
        parts.append(text(width - legend + 42, y + 4, label, fill=colour))
    return svg(width, height, parts)


def bars(title, groups, unit):
    """groups: [(heading, [(label, value, is ours)...])...]; lengths are logarithmic."""
    width, left, right = 760, 230, 80
    values = [value for _, rows in groups for _, value, _ in rows]
    axis = Axis([*values, min(values) / 2], left, width - right)
    y, parts = 24, []
    parts.append(text(14, y, title, more='font-weight="bold"'))
    y += 12
    for heading, rows in groups:
        y += 22
        parts.append(text(14, y, heading, more='font-weight="bold"'))
        y += 6
        for label, value, ours in rows:
            end = axis.place(value)
            parts.append(text(left - 8, y + 12, label, "end"))
            parts.append(f'<rect x="{left}" y="{y}" width="{max(1, end - left):.1f}" height="15" '
                         f'fill="{colours[0] if ours else grey}"/>')
            parts.append(text(end + 6, y + 12, f"{short(value)}{unit}"))
            y += 18
    return svg(width, y + 16, parts)
