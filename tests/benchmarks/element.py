#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times a pipeline; Debian's own Python is the one that has GStreamer. Prints a JSON object.

    element.py rate LINE     frames a second at the element named "end", from its first to its last
    element.py start LINE    seconds from NULL to PLAYING
    element.py scan FOLDER   seconds that GStreamer takes to register the plugins in a folder
"""
import json
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402


def check(pipeline, types):
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, types | Gst.MessageType.ERROR)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(message.parse_error()[0].message)


def rate(line):
    pipeline = Gst.parse_launch(line)
    times = []

    def came(_pad, _info):
        times.append(time.perf_counter())
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("end").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, came)
    pipeline.set_state(Gst.State.PLAYING)
    check(pipeline, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    return {"frames": len(times), "rate": (len(times) - 1) / (times[-1] - times[0])}


def start(line):
    pipeline = Gst.parse_launch(line)
    began = time.perf_counter()
    pipeline.set_state(Gst.State.PLAYING)
    if pipeline.get_state(Gst.CLOCK_TIME_NONE).state != Gst.State.PLAYING:
        check(pipeline, Gst.MessageType.ERROR)
    took = time.perf_counter() - began
    pipeline.set_state(Gst.State.NULL)
    return {"seconds": took}


def scan(folder):
    """In this process: with GST_REGISTRY_FORK=no, as `gst-plugin-scanner` does it."""
    registry = Gst.Registry.get()
    began = time.perf_counter()
    found = registry.scan_path(folder)
    took = time.perf_counter() - began
    if not found or not registry.find_feature("patchcoredetect", Gst.ElementFactory):
        sys.exit(f"{folder} has no patchcoredetect")
    return {"seconds": took}


if __name__ == "__main__":
    Gst.init(None)
    print(json.dumps({"rate": rate, "start": start, "scan": scan}[sys.argv[1]](sys.argv[2])))
