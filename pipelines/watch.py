#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints a line for each frame that a patchcoredetect has passed on.

    watch.py --bank BANK VIDEO        VIDEO: a file or a URI, as fast as it goes
    watch.py ELEMENT ! ELEMENT ...    any pipeline with a patchcoredetect, as for gst-launch-1.0

A line: the frame's time, state, score, normalized score, verdict (normal, anomalous), peak in
fractions of the frame, camera-id; "-" for what there is none of. Ends at the stream's end with exit
status 0, at an error with 1, at Ctrl-C with 130; wrong usage is 2.
"""
import os
import sys
import warnings

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

# What else there is, get_value(), needs the package python3-gst-1.0 for a list.
warnings.filterwarnings("ignore", "GObject.ValueArray.get_nth is deprecated")


def results_of(buffer):
    """The results on a frame, in the order of the elements: Gst.Structure."""
    meta = buffer.get_custom_meta("GstPatchCoreMeta")
    if not meta:
        return []
    _found, results = meta.get_structure().get_list("results")
    # Copies, since what get_nth() returns ends with the list.
    return [results.get_nth(i).copy() for i in range(results.n_values)]


def clock(time):
    if time == Gst.CLOCK_TIME_NONE:
        return "-"
    seconds, rest = divmod(time, Gst.SECOND)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest // Gst.MSECOND:03}"


def line_of(time, result):
    """A frame's result as text; docs/metadata.md says which of its fields are there when."""

    def number(field):
        return f"{result.get_value(field):.4f}" if result.has_field(field) else "-"

    verdict = peak = "-"
    if result.get_string("state") == "scored":
        verdict = "anomalous" if result.get_value("anomalous") else "normal"
        peak = f"{result.get_value('peak-x'):.3f},{result.get_value('peak-y'):.3f}"
    return (
        f"{clock(time)}  {result.get_string('state'):<8}  {number('score'):>8}"
        f"  {number('normalized-score'):>6}  {verdict:<9}  {peak:<11}  {result.get_string('camera-id')}"
    )


def on_frame(pad, info):
    """On the streaming thread."""
    buffer = info.get_buffer()
    try:
        # Its own is the last; those before are of elements further up.
        for result in results_of(buffer)[-1:]:
            # At once with its end: two elements have two threads.
            sys.stdout.write(line_of(buffer.pts, result) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:  # head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        element = pad.get_parent_element()
        element.post_message(Gst.Message.new_application(element, Gst.Structure.new_empty("closed")))
        return Gst.PadProbeReturn.REMOVE
    return Gst.PadProbeReturn.OK


def make_pipeline(words):
    """The pipeline that the command line asks for. GLib.Error: it can't be made."""
    if words[0] != "--bank":
        return Gst.parse_launchv(words)
    pipeline = Gst.parse_launch(
        "uridecodebin name=video ! videoconvert ! patchcoredetect name=detect ! fakesink sync=false"
    )
    bank, video = words[1:]
    uri = video if Gst.uri_is_valid(video) else Gst.filename_to_uri(video)
    pipeline.get_by_name("video").set_property("uri", uri)
    pipeline.get_by_name("detect").set_property("bank-location", bank)
    return pipeline


def detectors_of(pipeline):
    elements = pipeline.iterate_recurse()
    result, element = elements.next()
    while result == Gst.IteratorResult.OK:
        if element.get_factory() and element.get_factory().get_name() == "patchcoredetect":
            yield element
        result, element = elements.next()


def run(pipeline):
    """Runs it to its end; the exit status."""
    bus = pipeline.get_bus()
    wanted = Gst.MessageType.ERROR | Gst.MessageType.EOS
    wanted |= Gst.MessageType.LATENCY | Gst.MessageType.APPLICATION
    pipeline.set_state(Gst.State.PLAYING)
    while True:
        # Python sees Ctrl-C only between two calls.
        message = bus.timed_pop_filtered(Gst.SECOND // 5, wanted)
        if not message:
            continue
        if message.type == Gst.MessageType.LATENCY:
            pipeline.recalculate_latency()
            continue
        if message.type == Gst.MessageType.ERROR:
            error, _debug = message.parse_error()
            print(f"watch: {message.src.get_name()}: {error.message}", file=sys.stderr)
            return 1
        return 0


def main():
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if not words or (words[0] == "--bank" and len(words) != 3):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    Gst.init(None)
    try:
        pipeline = make_pipeline(words)
    except GLib.Error as error:
        print(f"watch: {error.message}", file=sys.stderr)
        return 2
    detectors = list(detectors_of(pipeline))
    if not detectors:
        print("watch: there is no patchcoredetect in this pipeline", file=sys.stderr)
        return 2
    for detector in detectors:
        detector.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, on_frame)
    try:
        return run(pipeline)
    except KeyboardInterrupt:
        return 130
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    sys.exit(main())
