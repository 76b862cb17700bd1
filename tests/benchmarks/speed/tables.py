# SPDX-License-Identifier: LGPL-2.1-or-later
"""A workload's rows as a table, for the terminal and for docs."""

COLUMNS = {
    "batch": ("batch", str),
    "group": ("pictures", str),
    "bank": ("bank rows", "{:,}".format),
    "name": ("who", str),
    "precision": ("precision", str),
    "ms": ("ms", "{:.1f}".format),
    "quartiles": ("quartiles", lambda pair: "{:.1f} to {:.1f}".format(*pair)),
    "worst": ("worst", "{:.1f}".format),
    "ratio": ("times the best peer", "{:.2f}".format),
    "frames_a_second": ("frames/s", "{:.1f}".format),
    "score_error": ("scores off by", "{:.1e}".format),
    "map_error": ("maps off by", "{:.1e}".format),
    "distance_error": ("distances off by", "{:.1e}".format),
    "radius": ("covering radius", "{:.5f}".format),
    "exact_radius": ("exact greedy's", "{:.5f}".format),
    "idle_mb": ("idle MB", "{:.0f}".format),
    "opened_mb": ("opened +MB", "{:.0f}".format),
    "peak_mb": ("peak MB", "{:.0f}".format),
    "least_mb": ("weights, bank, activations MB", "{:.0f}".format),
    "share": ("times these", "{:.2f}".format),
    "growth_mb": ("growth MB", "{:.1f}".format),
    "other_programs": ("cores taken by others", "{:.2f}".format),
}


def cells(rows):
    """The columns that any row has, and each row's texts for them."""
    shown = [key for key in COLUMNS if any(row.get(key) is not None for row in rows)]
    header = [COLUMNS[key][0] for key in shown]
    texts = [
        ["" if row.get(key) is None else COLUMNS[key][1](row[key]) for key in shown] for row in rows
    ]
    return header, texts


def markdown(rows):
    header, texts = cells(rows)
    lines = [header, ["---"] * len(header), *texts]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(rows):
    header, texts = cells(rows)
    widths = [max(len(line[i]) for line in [header, *texts]) for i in range(len(header))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
        for line in [header, *texts]
    )


def text(result, form):
    parts = []
    if "skipped" in result:
        parts.append(f"Skipped: {result['skipped']}.")
    if result.get("rows"):
        parts.append(form(result["rows"]))
    parts += [f"Left out: {name}: {why}." for name, why in result.get("left_out", {}).items()]
    return "\n\n".join(parts)
