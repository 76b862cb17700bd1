#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watches cameras for as long as it runs: each learns its own bank first, all share one engine, and one
that goes away is waited for.

    cameras.py [--banks FOLDER] [--learn FRAMES] [--tcp PORT] NAME=URI...

URI: rtsp://..., v4l2:///dev/video0, file:///... Banks are FOLDER/NAME.safetensors (default: here); where
there is none the first FRAMES (200) frames are learnt. Prints a line whenever something changes: time,
camera, what: connected, learning, watching, alarm, normal again, lost and why. --tcp: JSON lines of all
frames of all cameras to whoever connects to that port of 127.0.0.1. Ends at Ctrl-C with exit status 130,
when a bank can't be read or written, or the port is taken, with 1; wrong usage is 2.
"""
import argparse
import datetime
import os
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

FIRST_WAIT, LONGEST_WAIT = 1, 30  # seconds before a camera that was lost is tried again
SILENCE = 15  # seconds without a frame after which one counts as lost


def say(camera, what):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    print(f"{now}  {camera}  {what}", flush=True)


class Source:
    """A camera's pictures as long as they come, in a pipeline of its own. take(sample) is called on a
    thread of that, lost(reason) once, in the main loop."""

    def __init__(self, uri, take, lost):
        self.lost = lost
        self.pipeline = Gst.parse_launch(
            "uridecodebin name=camera caps=video/x-raw ! appsink name=frames emit-signals=true"
            " max-buffers=4 drop=true"
        )
        self.pipeline.get_by_name("camera").set_property("uri", uri)
        self.pipeline.get_by_name("frames").connect("new-sample", self.on_sample, take)
        self.frames = self.seen = 0
        self.timer = GLib.timeout_add_seconds(SILENCE, self.on_timer)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _bus, message: self.end(message.parse_error()[0].message))
        bus.connect("message::eos", lambda *_: self.end("the stream has ended"))
        bus.connect("message::latency", lambda *_: self.pipeline and self.pipeline.recalculate_latency())
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_sample(self, sink, take):
        self.frames += 1
        return take(sink.emit("pull-sample"))

    def on_timer(self):
        if self.frames == self.seen:
            self.timer = 0
            self.end(f"no frame for {SILENCE} s")
            return GLib.SOURCE_REMOVE
        self.seen = self.frames
        return GLib.SOURCE_CONTINUE

    def close(self):
        """Nothing is called any more. False: it was closed before."""
        gone, self.pipeline = self.pipeline, None
        if not gone:
            return False
        if self.timer:
            GLib.source_remove(self.timer)
        gone.get_bus().remove_signal_watch()
        gone.set_state(Gst.State.NULL)
        return True

    def end(self, reason):
        if self.close():
            self.lost(reason)


class Camera:
    """What stays while its source comes and goes: the detector, and what it has learnt."""

    def __init__(self, name, uri, bank, learn, take_line, fail):
        self.name, self.uri, self.fail = name, uri, fail
        # Frames have the time when they come in: a source's own begins anew with each connection.
        self.pipeline = Gst.parse_launch(
            "appsrc name=frames is-live=true do-timestamp=true format=time max-buffers=4"
            " leaky-type=downstream ! patchcoredetect name=detector mode=auto overlay=none"
            " post-messages=false ! patchcorejson"
            " ! appsink name=lines sync=false async=false emit-signals=true max-buffers=100 drop=true"
        )
        detector = self.pipeline.get_by_name("detector")
        detector.set_property("bank-location", bank)
        detector.set_property("fit-frames", learn)
        detector.set_property("camera-id", name)
        detector.connect("notify::active-bank", self.on_bank)
        self.frames = self.pipeline.get_by_name("frames")
        self.pipeline.get_by_name("lines").connect("new-sample", take_line)
        self.learning = not os.path.exists(bank)
        self.connected = False
        self.wait = FIRST_WAIT
        self.source = None
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)
        bus.connect("message::element", self.on_element)

    def start(self):
        """Loads the bank and connects."""
        if self.pipeline.set_state(Gst.State.PLAYING) != Gst.StateChangeReturn.FAILURE:
            self.connect()

    def connect(self):
        self.source = Source(self.uri, self.take, self.on_lost)
        return GLib.SOURCE_REMOVE

    def take(self, sample):
        """On the source's thread."""
        if not self.connected:
            self.connected = True
            self.wait = FIRST_WAIT
            say(self.name, "connected, " + ("learning" if self.learning else "watching"))
        return self.frames.emit("push-sample", sample)

    def on_lost(self, reason):
        self.connected = False
        say(self.name, f"lost: {reason}; trying again in {self.wait} s")
        GLib.timeout_add_seconds(self.wait, self.connect)
        self.wait = min(2 * self.wait, LONGEST_WAIT)

    def on_bank(self, detector, _property):
        if self.learning and detector.get_property("active-bank"):
            self.learning = False
            say(self.name, "learnt, watching")

    def on_error(self, _bus, message):
        say(self.name, f"failed: {message.parse_error()[0].message}")
        self.fail()

    def on_element(self, _bus, message):
        found = message.get_structure()
        if found.get_name() != "patchcore-alarm":
            return
        if found.get_string("type") == "start":
            where = f"{found.get_value('peak-x'):.3f},{found.get_value('peak-y'):.3f}"
            say(self.name, f"alarm: score {found.get_value('score'):.4f} at {where}")
        else:
            say(self.name, "normal again")

    def stop(self):
        if self.source:
            self.source.close()
        self.pipeline.get_bus().remove_signal_watch()
        self.pipeline.set_state(Gst.State.NULL)


class Lines:
    """The cameras' JSON lines, sent to whoever connects."""

    def __init__(self, port, fail):
        self.pipeline = Gst.parse_launch(
            "appsrc name=lines is-live=true format=time do-timestamp=true caps=application/x-json"
            f" ! tcpserversink host=127.0.0.1 port={port} sync=false"
        )
        self.source = self.pipeline.get_by_name("lines")
        self.fail = fail
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)

    def start(self):
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_error(self, _bus, message):
        say("--tcp", f"failed: {message.parse_error()[0].message}")
        self.fail()

    def stop(self):
        self.pipeline.get_bus().remove_signal_watch()
        self.pipeline.set_state(Gst.State.NULL)

    def take(self, sink):
        """On a camera's thread."""
        line = sink.emit("pull-sample").get_buffer().copy()
        line.pts = line.dts = Gst.CLOCK_TIME_NONE  # cameras' times don't compare
        return self.source.emit("push-buffer", line)


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.strip(), add_help=False)
    parser.add_argument("--banks", default=".")
    parser.add_argument("--learn", type=int, default=200)
    parser.add_argument("--tcp", type=int)
    parser.add_argument("cameras", nargs="+")
    given = parser.parse_args()
    given.cameras = [camera.partition("=")[::2] for camera in given.cameras]
    names = [name for name, _uri in given.cameras]
    if not all(uri for _name, uri in given.cameras) or len(set(names)) < len(names):
        parser.error("cameras are NAME=URI, each with a name of its own")
    if any("/" in name or not name for name in names):
        parser.error("a name is that of a file too")
    return given


def main():
    given = parse()
    Gst.init(None)
    loop = GLib.MainLoop()
    failed = []

    def fail():
        failed.append(True)
        loop.quit()

    try:
        lines = Lines(given.tcp, fail) if given.tcp else None
        take = lines.take if lines else lambda sink: sink.emit("pull-sample") and Gst.FlowReturn.OK
        cameras = [
            Camera(name, uri, os.path.join(given.banks, name + ".safetensors"), given.learn, take, fail)
            for name, uri in given.cameras
        ]
    except GLib.Error as error:
        print(f"cameras: {error.message}", file=sys.stderr)
        return 1
    parts = cameras + [lines] if lines else cameras
    for part in parts:
        part.start()
    try:
        loop.run()
    except KeyboardInterrupt:
        return 130
    finally:
        for part in parts:
            part.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
