#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pipelines/watch.py on drawn video: its lines, its exit status. Prints TAP.

    test_watch.py WATCH
"""
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile

from colour_bars import DEADLINE, FRAMES, LIVE, ColourBars, fit

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap


class Workshop(ColourBars):
    def __init__(self, watch, folder):
        super().__init__(folder)
        self.watch = watch

    def run(self, *words):
        """What watch.py prints, says of errors, and its exit status."""
        done = subprocess.run(
            [sys.executable, self.watch, *words], capture_output=True, text=True, timeout=DEADLINE
        )
        return done.stdout.splitlines(), done.stderr, done.returncode

    def run_line(self, line):
        return self.run(*shlex.split(line))

    @contextlib.contextmanager
    def started(self, line):
        words = [sys.executable, self.watch, *shlex.split(line)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def a_line_a_frame_says_what_was_found(shop):
    lines, errors, status = shop.run_line(f"videotestsrc {FRAMES} ! {shop.detect} ! fakesink")
    assert (len(lines), errors, status) == (12, "", 0), (lines, errors, status)
    for index, line in enumerate(lines):
        time, state, score, normalized, verdict, peak, camera = line.split()
        assert time == f"0:00:00.{40 * index:03}", line
        assert (state, verdict, camera) == ("scored", "normal", "line-3"), line
        assert float(score) > 0 and 0 < float(normalized) < 0.5, line
        assert all(0 < float(place) < 1 for place in peak.split(",")), line


def an_anomalous_frame_is_called_so(shop):
    lines, _, status = shop.run_line(
        f"videotestsrc pattern=snow {FRAMES} ! {shop.detect} ! fakesink"
    )
    assert status == 0 and len(lines) == 12, lines
    for line in lines:
        assert line.split()[4] == "anomalous" and float(line.split()[3]) >= 0.5, line


def of_two_elements_in_a_row_each_prints_its_own(shop):
    other = shop.detect.replace("line-3", "line-4")
    lines, _, _ = shop.run_line(f"videotestsrc {FRAMES} ! {shop.detect} ! {other} ! fakesink")
    cameras = [line.split()[6] for line in lines]
    assert sorted(cameras) == 12 * ["line-3"] + 12 * ["line-4"], cameras


def what_a_frame_has_none_of_is_a_dash(shop):
    bank = os.path.join(shop.folder, "another.safetensors")
    lines, _, status = shop.run_line(f"videotestsrc {FRAMES} ! {fit(bank)} ! fakesink")
    assert status == 0 and len(lines) == 12, lines
    for line in lines:
        assert line.split()[1:6] == ["learning", "-", "-", "-", "-"], line


def a_bank_and_a_video_are_enough(shop):
    video = os.path.join(shop.folder, "it's a \"video\".avi")
    subprocess.run(
        ["gst-launch-1.0", "-q", *shlex.split(f"videotestsrc {FRAMES} ! jpegenc ! avimux ! filesink")]
        + [f"location={video}"],
        check=True,
        timeout=DEADLINE,
    )
    lines, errors, status = shop.run("--bank", shop.bank, video)
    assert (len(lines), status) == (12, 0), (lines, errors, status)
    assert all(line.split()[1] == "scored" for line in lines), lines


def an_error_is_named_and_ends_it_with_one(shop):
    lines, errors, status = shop.run("--bank", os.path.join(shop.folder, "nowhere"), "nothing.avi")
    assert (lines, status) == ([], 1), (lines, status)
    assert "nowhere" in errors, errors


def wrong_usage_is_two(shop):
    for words in ([], ["--bank", shop.bank], ["fakesrc", "!", "fakesink"], ["nosuchelement"]):
        lines, errors, status = shop.run(*words)
        assert (lines, status) == ([], 2) and errors, (words, lines, status, errors)


def an_interrupt_ends_it_with_130(shop):
    with shop.started(f"videotestsrc {LIVE} ! {shop.detect} ! fakesink") as process:
        assert "scored" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(DEADLINE) == 130, process.returncode


def it_ends_when_nobody_reads_it_any_more(shop):
    with shop.started(f"videotestsrc {LIVE} ! {shop.detect} ! fakesink") as process:
        assert "scored" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(DEADLINE) == 0, process.returncode


TESTS = (
    a_line_a_frame_says_what_was_found,
    an_anomalous_frame_is_called_so,
    of_two_elements_in_a_row_each_prints_its_own,
    what_a_frame_has_none_of_is_a_dash,
    a_bank_and_a_video_are_enough,
    an_error_is_named_and_ends_it_with_one,
    wrong_usage_is_two,
    an_interrupt_ends_it_with_130,
    it_ends_when_nobody_reads_it_any_more,
)


def main():
    try:
        import gi

        gi.require_version("Gst", "1.0")
    except (ImportError, ValueError) as error:
        tap.skip(f"{sys.executable} has no GStreamer: {error}")
        return
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(sys.argv[1], folder)
        tap.run(TESTS, lambda: contextlib.nullcontext(shop))


if __name__ == "__main__":
    main()
