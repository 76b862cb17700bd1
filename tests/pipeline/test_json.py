#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""patchcorejson on drawn video, into files and over TCP; each line is held against the schema that
docs has. Prints TAP.

    test_json.py SCHEMA
"""
import contextlib
import json
import os
import socket
import sys
import tempfile

from colour_bars import DEADLINE, FRAMES, LIVE, ColourBars, fit, launch

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap

try:
    import gi
    import jsonschema

    gi.require_version("Gst", "1.0")
    gi.require_version("GstVideo", "1.0")
    from gi.repository import Gst, GstVideo

    missing = None
except (ImportError, ValueError) as error:
    missing = error


class Workshop(ColourBars):
    def __init__(self, schema, folder):
        super().__init__(folder)

        with open(schema, encoding="utf-8") as file:
            self.schema = json.load(file)
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.validator = jsonschema.Draft202012Validator(self.schema)
    def lines(self, line):
        """What a pipeline that ends before the sink writes into a file."""
        path = os.path.join(self.folder, "lines.jsonl")
        launch(f"{line} ! filesink location={path}")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert text == "" or text.endswith("\n"), text[-80:]
        return [self.checked(line) for line in text.splitlines()]

    def checked(self, text):
        """A line, which the schema allows and names all fields of."""
        line = json.loads(text)
        self.validator.validate(line)
        definitions = self.schema["$defs"]
        for fields, known in (
            [(line, self.schema)]
            + [(result, definitions["result"]) for result in line["results"]]
            + [(region, definitions["region"]) for region in line["regions"]]
        ):
            unknown = set(fields) - set(known["properties"])
            assert not unknown, f"the schema doesn't name {unknown}"
        return line


def play(pipeline):
    """To its end."""
    pipeline.set_state(Gst.State.PLAYING)
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(DEADLINE * Gst.SECOND, wanted)
    pipeline.set_state(Gst.State.NULL)
    assert message and message.type == Gst.MessageType.EOS, message


def messages_until(line, ends):
    """Plays a pipeline until ends(message) is true; returns all messages."""
    pipeline = Gst.parse_launch(line)
    bus, messages = pipeline.get_bus(), []
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while not (messages and ends(messages[-1])):
            message = bus.timed_pop(DEADLINE * Gst.SECOND)
            assert message, "no end within two minutes"
            messages.append(message)
    finally:
        pipeline.set_state(Gst.State.NULL)
    return messages


def a_file_has_a_line_a_frame_with_what_the_bus_says(shop):
    path = os.path.join(shop.folder, "beside.jsonl")
    messages = messages_until(
        f"videotestsrc {FRAMES} ! {shop.detect} ! patchcorejson ! filesink location={path}",
        lambda m: m.type in (Gst.MessageType.EOS, Gst.MessageType.ERROR),
    )
    told = [m.get_structure() for m in messages if m.type == Gst.MessageType.ELEMENT]
    with open(path, encoding="utf-8") as file:
        lines = [shop.checked(line) for line in file]
    assert len(lines) == len(told) == 12, (len(lines), len(told))
    for index, (line, message) in enumerate(zip(lines, told)):
        assert line["timestamp"] == index * 40_000_000, line
        assert (line["width"], line["height"]) == (128, 96), line
        assert line["duration"] == 40_000_000, line
        (result,) = line["results"]
        assert (result["state"], result["camera-id"]) == ("scored", "line-3"), result
        assert result["score"] == message.get_value("score"), result
        assert result["normalized-score"] == message.get_value("normalized-score"), result
        assert result["anomalous"] is False and line["regions"] == [], line


def regions_are_in_pixels_of_the_frame(shop):
    lines = shop.lines(
        f"videotestsrc pattern=snow {FRAMES} ! {shop.detect} region-meta=roi ! patchcorejson"
    )
    assert len(lines) == 12
    for line in lines:
        assert line["results"][0]["anomalous"] is True, line
        assert line["regions"], line
        for region in line["regions"]:
            assert region["result"] == 0 and region["normalized-score"] >= 0.5, region
            assert region["x"] + region["width"] <= 128, region
            assert region["y"] + region["height"] <= 96, region


def an_encoder_may_lie_between(shop):
    lines = shop.lines(f"videotestsrc {FRAMES} ! {shop.detect} ! jpegenc ! patchcorejson")
    assert [line["results"][0]["state"] for line in lines] == 12 * ["scored"], lines


def of_two_elements_in_a_row_both_are_told(shop):
    other = shop.detect.replace("line-3", "line-4")
    lines = shop.lines(f"videotestsrc {FRAMES} ! {shop.detect} ! {other} ! patchcorejson")
    cameras = [[result["camera-id"] for result in line["results"]] for line in lines]
    assert cameras == 12 * [["line-3", "line-4"]], cameras


def frames_that_are_learnt_have_no_score(shop):
    bank = os.path.join(shop.folder, "another.safetensors")
    lines = shop.lines(f"videotestsrc {FRAMES} ! {fit(bank)} ! patchcorejson")
    assert [line["results"][0]["state"] for line in lines] == 12 * ["learning"], lines
    assert all("score" not in line["results"][0] for line in lines), lines


def what_json_has_marks_for_may_be_in_a_name(shop):
    name = 'a "b" \\ c\n\u00e9\u6771'
    path = os.path.join(shop.folder, "named.jsonl")
    pipeline = Gst.parse_launch(
        f"videotestsrc {FRAMES} ! {shop.detect} name=detect ! patchcorejson"
        f" ! filesink location={path}"
    )
    pipeline.get_by_name("detect").set_property("camera-id", name)
    play(pipeline)
    with open(path, encoding="utf-8") as file:
        lines = [shop.checked(line) for line in file]
    assert [line["results"][0]["camera-id"] for line in lines] == 12 * [name], lines


def frames_without_results_become_gaps(shop):
    assert shop.lines(f"videotestsrc {FRAMES} ! patchcorejson") == []
    # Without a GAP the sink would wait for a first buffer.
    pipeline = Gst.parse_launch("videotestsrc ! patchcorejson ! fakesink name=end")
    pipeline.set_state(Gst.State.PAUSED)
    change, _, _ = pipeline.get_state(DEADLINE * Gst.SECOND)
    pipeline.set_state(Gst.State.NULL)
    assert change == Gst.StateChangeReturn.SUCCESS, change


def a_region_of_interest_has_a_result_of_its_own(shop):
    bank = os.path.join(shop.folder, "parts.safetensors")
    path = os.path.join(shop.folder, "parts.jsonl")
    places = ((0, 0, 64, 64), (64, 32, 64, 64))

    def run(line):
        pipeline = Gst.parse_launch(
            "appsrc name=frames format=time"
            f" caps=video/x-raw,format=GRAY8,width=128,height=96,framerate=25/1 ! {line}"
        )
        frames = pipeline.get_by_name("frames")
        for index in range(4):
            frame = Gst.Buffer.new_wrapped(bytes(range(96)) * 128)
            frame.pts, frame.duration = index * 40_000_000, 40_000_000
            for place in places:
                GstVideo.buffer_add_video_region_of_interest_meta(frame, "part", *place)
            frames.emit("push-buffer", frame)
        frames.emit("end-of-stream")
        play(pipeline)

    run(f"{fit(bank)} inference-region=roi ! fakesink")
    run(
        f"patchcoredetect bank-location={bank} inference-region=roi"
        f" ! patchcorejson ! filesink location={path}"
    )
    with open(path, encoding="utf-8") as file:
        lines = [shop.checked(line) for line in file]
    assert len(lines) == 4
    for line in lines:
        seen = [
            (
                round(result["roi-x"] * 128),
                round(result["roi-y"] * 96),
                round(result["roi-width"] * 128),
                round(result["roi-height"] * 96),
            )
            for result in line["results"]
        ]
        assert seen == list(places), seen
        assert all(result["roi-type"] == "part" for result in line["results"]), line


class Served:
    """A camera whose lines go to whoever connects."""

    def __init__(self, shop):
        self.pipeline = Gst.parse_launch(
            f"videotestsrc {LIVE} ! {shop.detect} ! patchcorejson"
            " ! tcpserversink name=server host=127.0.0.1 port=0"
        )

    def __enter__(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.pipeline.get_state(DEADLINE * Gst.SECOND)
        self.port = self.pipeline.get_by_name("server").get_property("current-port")
        return self

    def __exit__(self, *_):
        self.pipeline.set_state(Gst.State.NULL)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def errors(self):
        bus = self.pipeline.get_bus()
        return bus.pop_filtered(Gst.MessageType.ERROR)


def whoever_connects_is_told(shop):
    with Served(shop) as camera, camera.connect() as one, camera.connect() as other:
        for client in (one, other):
            with client.makefile(encoding="utf-8") as text:
                lines = [shop.checked(next(text)) for _ in range(8)]
            times = [line["timestamp"] for line in lines]
            assert times == sorted(set(times)), times
            assert all(line["utc"] for line in lines), lines


def a_client_that_goes_away_holds_nothing_up(shop):
    with Served(shop) as camera:
        with camera.connect() as client, client.makefile(encoding="utf-8") as text:
            last = shop.checked(next(text))["timestamp"]
        with camera.connect() as client, client.makefile(encoding="utf-8") as text:
            for _ in range(8):
                line = shop.checked(next(text))
                assert line["timestamp"] > last, line
                last = line["timestamp"]
        assert camera.errors() is None


def a_full_disk_is_one_error(shop):
    messages = messages_until(
        f"videotestsrc {FRAMES} ! {shop.detect} ! patchcorejson"
        " ! filesink buffer-mode=unbuffered location=/dev/full",
        lambda m: m.type in (Gst.MessageType.EOS, Gst.MessageType.ERROR),
    )
    error, _ = messages[-1].parse_error()
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NO_SPACE_LEFT), error


TESTS = (
    a_file_has_a_line_a_frame_with_what_the_bus_says,
    regions_are_in_pixels_of_the_frame,
    an_encoder_may_lie_between,
    of_two_elements_in_a_row_both_are_told,
    frames_that_are_learnt_have_no_score,
    what_json_has_marks_for_may_be_in_a_name,
    frames_without_results_become_gaps,
    a_region_of_interest_has_a_result_of_its_own,
    whoever_connects_is_told,
    a_client_that_goes_away_holds_nothing_up,
    a_full_disk_is_one_error,
)


def main():
    if missing:
        tap.skip(f"{sys.executable} lacks what this needs: {missing}")
        return
    Gst.init(None)
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(sys.argv[1], folder)
        tap.run(TESTS, lambda: contextlib.nullcontext(shop))


if __name__ == "__main__":
    main()
