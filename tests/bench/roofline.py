# SPDX-License-Identifier: BSD-2-Clause
"""The roofline picture: GFLOP/s of each shape, forward, over its operations for each byte."""
import html
import math

import shapes

WIDTH, PANEL, TOP, LEFT, GAP = 1180, 460, 56, 64, 70
LIGHT = {"ink": "#1f2328", "soft": "#6e7781", "grid": "#d8dee4", "paper": "#ffffff",
         "ours": "#0b62c4", "peer": "#b35900", "roof": "#57606a"}
DARK = {"ink": "#e6edf3", "soft": "#9198a1", "grid": "#30363d", "paper": "#0d1117",
        "ours": "#58a6ff", "peer": "#f0a04b", "roof": "#9198a1"}
SHAPE_STYLE = """svg { font: 13px sans-serif; } .soft { font-size: 11.5px; }
.title { font-size: 15px; font-weight: bold; } .label { font-size: 11px; }
.roof { stroke-width: 1.8; fill: none; } .thin { stroke-dasharray: 5 4; stroke-width: 1.2; }
.peer { stroke-width: 2; }"""
COLOUR_STYLE = """.paper { fill: %(paper)s; } text { fill: %(ink)s; } .soft { fill: %(soft)s; }
.grid { stroke: %(grid)s; } .roof { stroke: %(roof)s; } .link { stroke: %(soft)s; }
.ours { fill: %(ours)s; } .peer { fill: %(paper)s; stroke: %(peer)s; }"""
STYLE = "%s\n%s\n@media (prefers-color-scheme: dark) {\n%s\n}" % (
    SHAPE_STYLE, COLOUR_STYLE % LIGHT, COLOUR_STYLE % DARK)


def text(x, y, words, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (
        x, y, kind, anchor, html.escape(words))


def line(x1, y1, x2, y2, kind):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (x1, y1, x2, y2, kind)


class Axis:
    """A logarithmic scale from values to pixels, over whole decades' 1, 2, 5."""

    def __init__(self, values, start, end):
        self.low, self.high = min(values) / 1.5, max(values) * 1.5
        self.start, self.end = start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self):
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        every = [m * 10.0 ** e for e in range(first, last + 1) for m in (1, 2, 5)]
        return [t for t in every if self.low <= t <= self.high]


class Labels:
    """Places beside points that no other label has."""

    def __init__(self):
        self.taken = []

    def place(self, x, y):
        for far in (0, 8, 16, 26):
            for dx, dy in ((8, 4), (-22, 4), (-6, -9 - far), (-6, 18 + far), (8 + far, -6 - far),
                           (8 + far, 14 + far), (-22 - far, -6 - far), (-22 - far, 14 + far)):
                box = x + dx, y + dy - 10, x + dx + 15, y + dy + 2
                if not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3]
                           for b in self.taken):
                    self.taken.append(box)
                    return x + dx, y + dy
        return x + 8, y + 4

    def block(self, x, y, radius):
        self.taken.append((x - radius, y - radius, x + radius, y + radius))


def points(records, threads):
    """(number of the shape, intensity, our GFLOP/s, the best peer's or None)"""
    order = {str(s): i for i, s in enumerate(shapes.SHAPES, 1)}
    found = []
    for r in records:
        if (r["what"], r["isa"], r["threads"]) == ("fwd", "best", threads):
            s = shapes.parse(r["shape"])
            flops = s.flops("fwd")
            peer = flops / r["best_peer_ms"] / 1e6 if r["best_peer_ms"] else None
            number = order.setdefault(str(s), len(order) + 1)
            found.append((number, flops / sum(s.traffic("fwd")), r["gflops"], peer))
    return found, order


def draw_grid(x, y):
    out = []
    for tick in x.ticks():
        out.append(line(x.at(tick), y.start, x.at(tick), y.end, "grid"))
        out.append(text(x.at(tick), y.start + 16, "%g" % tick, "soft", "middle"))
    for tick in y.ticks():
        out.append(line(x.start, y.at(tick), x.end, y.at(tick), "grid"))
        out.append(text(x.start - 6, y.at(tick) + 4, "%g" % tick, "soft", "end"))
    out.append(text((x.start + x.end) / 2, y.start + 34,
                    "operations for each byte in and out", "soft", "middle"))
    out.append(text(x.start - 6, y.end - 8, "GFLOP/s", "soft", "middle"))
    return out


def draw_roof(x, y, peak, narrow, bandwidth):
    """The slope of the memory up to the flat roof of the multiply-adds; a lower one of 256 bit."""
    out = []
    for height, kind, words in ((peak, "roof", "peak %.0f" % peak),
                                (narrow, "roof thin", "256 bit %.0f" % narrow)):
        if height:
            knee = min(max(height / bandwidth, x.low), x.high)
            out.append(line(x.at(knee), y.at(height), x.end, y.at(height), kind))
            out.append(text(x.at(knee) + 6, y.at(height) - 5, words, "soft"))
    low = max(x.low, y.low / bandwidth)
    high = min(peak / bandwidth, x.high)
    out.append(line(x.at(low), y.at(low * bandwidth), x.at(high), y.at(high * bandwidth), "roof"))
    middle = math.sqrt(low * high)
    out.append(text(x.at(middle) - 8, y.at(middle * bandwidth) - 8, "%.0f GB/s" % bandwidth,
                    "soft", "end"))
    return out


def draw_panel(left, threads, found, peak, figure):
    width = (WIDTH - LEFT - GAP - 20) / 2
    rates = [g for _, _, ours, peer in found for g in (ours, peer) if g]
    x = Axis([p[1] for p in found], left, left + width)
    y = Axis(rates + [peak], TOP + PANEL, TOP)
    bandwidth = max(figure(n, threads) for n in ("read", "write", "stream", "copy", "triad"))
    out = [text(left, TOP - 30, "%d thread%s" % (threads, "s" if threads > 1 else ""), "title")]
    out += draw_grid(x, y)
    out += draw_roof(x, y, peak, figure("fma256", threads), bandwidth)
    labels = Labels()
    for _, intensity, ours, peer in found:
        labels.block(x.at(intensity), y.at(ours), 6)
        if peer:
            labels.block(x.at(intensity), y.at(peer), 6)
            out.append(line(x.at(intensity), y.at(ours), x.at(intensity), y.at(peer), "link"))
            out.append('<circle cx="%.1f" cy="%.1f" r="4" class="peer"/>' % (x.at(intensity),
                                                                           y.at(peer)))
    for number, intensity, ours, _ in found:
        out.append('<circle cx="%.1f" cy="%.1f" r="4.5" class="ours"/>' % (x.at(intensity),
                                                                         y.at(ours)))
        out.append(text(*labels.place(x.at(intensity), y.at(ours)), str(number), "label"))
    return out


def draw(records, peak, figure):
    """The picture as SVG; a panel for each number of threads, up to two."""
    threads = sorted({r["threads"] for r in records})[:2]
    out, order, bottom = [], {}, TOP + PANEL + 66
    for i, count in enumerate(threads):
        found, order = points(records, count)
        if found and peak(count):
            left = LEFT + i * ((WIDTH - LEFT - GAP - 20) / 2 + GAP)
            out += draw_panel(left, count, found, peak(count), figure)
    out.append('<circle cx="%d" cy="16" r="4.5" class="ours"/>' % (WIDTH - 330))
    out.append(text(WIDTH - 320, 20, "this library, CoordConv"))
    out.append('<circle cx="%d" cy="16" r="4" class="peer"/>' % (WIDTH - 155))
    out.append(text(WIDTH - 145, 20, "the best of its peers"))
    for name, number in order.items():
        row, column = divmod(number - 1, 4)
        out.append(text(LEFT + column * 280, bottom + row * 18, "%2d  %s" % (number, name), "label"))
    height = bottom + 18 * ((len(order) + 3) // 4)
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">\n'
            '<!-- SPDX-License-Identifier: BSD-2-Clause -->\n'
            '<style>\n%s\n</style>\n<rect width="%d" height="%d" class="paper"/>\n%s\n</svg>\n' % (
                WIDTH, height, WIDTH, height, STYLE, WIDTH, height, "\n".join(out)))
