# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long the element takes from NULL to PLAYING, its first frame inferred, with files in the page
cache; and what it adds to a scan of plugins. A process each."""
import os
import statistics
import tempfile

from .. import element
from ..inputs import SIDE
from ..places import PLUGIN


def scan():
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(PLUGIN / "libgstpatchcore.so", f"{folder}/libgstpatchcore.so")
        return element.run("scan", folder, GST_PLUGIN_PATH="", GST_REGISTRY_FORK="no")["seconds"]


def startup(case, options):
    line = (
        f"videotestsrc pattern=ball ! video/x-raw,width={SIDE},height={SIDE} ! patchcoredetect "
        f"bank-location={case.bank} weights-location={case.weights} ! fakesink"
    )
    seconds = {"NULL to PLAYING": [], "registry scan": []}
    for _ in range(options.starts):
        seconds["NULL to PLAYING"].append(element.run("start", line)["seconds"])
        seconds["registry scan"].append(scan())
    return {
        "rows": [
            {"name": name, "ours": True, "ms": 1000 * statistics.median(some), "worst": 1000 * max(some)}
            for name, some in seconds.items()
        ]
    }
