# SPDX-License-Identifier: LGPL-2.1-or-later
"""The chart: ms a picture of every contestant, and against the bank's size."""
import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

OURS, PEERS = ("#c2410c", "#f59e0b", "#fcd34d"), ("#1e3a8a", "#2563eb", "#7dd3fc", "#94a3b8")


def colours(names):
    ours = [name for name in names if name.startswith("ours")]
    peers = [name for name in names if name not in ours]
    return dict(zip(ours, OURS)) | dict(zip(peers, PEERS))


def scored(rows):
    """(batch, group) -> name -> ms, of whole pictures."""
    found = {}
    for row in rows:
        if "batch" in row and "bank" not in row and "ms" in row:
            found.setdefault((row["batch"], row["group"]), {})[row["name"]] = row["ms"]
    return found


def bars(axes, panels, colour):
    """A panel is a title and name -> ms."""
    labels = []
    for place, (title, times) in enumerate(panels):
        height = 0.85 / len(times)
        labels.append(title)
        for i, (name, ms) in enumerate(times.items()):
            y = place + (i - (len(times) - 1) / 2) * height
            axes.barh(y, ms, height * 0.92, color=colour[name])
            axes.text(ms, y, f" {ms:.0f} " if ms >= 10 else f" {ms:.1f} ", va="center", fontsize=7)
    axes.set_yticks(range(len(panels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("ms a picture, two threads")
    axes.margins(x=0.1)


def growth(axes, rows, colour):
    for name in dict.fromkeys(row["name"] for row in rows):
        some = [row for row in rows if row["name"] == name and row["group"] == "normal"]
        some.sort(key=lambda row: row["bank"])
        axes.plot(
            [row["bank"] for row in some], [row["ms"] for row in some], marker="o",
            color=colour[name], label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({row["bank"] for row in rows})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("bank rows (W3g, batch 1)")
    axes.set_ylabel("ms a picture")


def draw(results, output):
    """results: workload -> its rows; those that the chart shows are W1, W2, W3 and W3g."""
    panels = []
    for workload in ("W1", "W3", "W2"):
        for (batch, group), times in scored(results.get(workload, {}).get("rows", [])).items():
            kind = "" if group == "all" else f"\n{group}"
            panels.append((f"{workload}, batch {batch}{kind}", times))
    grown = results.get("W3g", {}).get("rows", [])
    if not panels and not grown:
        return
    names = dict.fromkeys([n for _, times in panels for n in times] + [r["name"] for r in grown])
    colour = colours(names)
    pyplot.rcParams |= {"svg.hashsalt": "patchcore", "font.size": 9, "axes.spines.top": False}
    pyplot.rcParams |= {"axes.spines.right": False}
    height = max(4, 0.95 * len(panels) + 1)
    figure, axes = pyplot.subplots(1, 2, figsize=(11, height), width_ratios=(3, 2))
    bars(axes[0], panels, colour)
    growth(axes[1], grown, colour) if grown else axes[1].set_axis_off()
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colour[name]) for name in names]
    figure.legend(handles, names, loc="upper center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / height))
    figure.savefig(output, metadata={"Date": None})
    pyplot.close(figure)
