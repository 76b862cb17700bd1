# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bank of colour bars, for the tests of what reads results."""
import os
import shlex
import subprocess

DEADLINE = 120  # seconds, against a hang only
CAPS = "video/x-raw,width=128,height=96,framerate=25/1"
FRAMES = f"num-buffers=12 ! {CAPS}"
LIVE = f"is-live=true ! {CAPS}"


def fit(bank):
    """The element that learns 12 FRAMES."""
    return f"patchcoredetect mode=fit input-size=128 coreset-ratio=0.05 bank-location={bank}"


def launch(line):
    subprocess.run(["gst-launch-1.0", "-q", *shlex.split(line)], check=True, timeout=DEADLINE)


class ColourBars:
    """`bank`, `detect` (the element that scores with it), and a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.bank = os.path.join(folder, "bank.safetensors")
        self.detect = f"patchcoredetect bank-location={self.bank} camera-id=line-3"
        launch(f"videotestsrc {FRAMES} ! {fit(self.bank)} ! fakesink")
