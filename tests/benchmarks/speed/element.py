# SPDX-License-Identifier: LGPL-2.1-or-later
"""The GStreamer element, in a process of its own each time; see ../element.py."""
import json
import os
import pathlib
import subprocess
import tempfile

from .places import PLUGIN
from .process import THREADS, Failed

PROGRAM = pathlib.Path(__file__).parents[1] / "element.py"


def run(do, argument, **environment):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["/usr/bin/python3", PROGRAM, do, argument],
            capture_output=True,
            text=True,
            env={
                "GST_PLUGIN_PATH": str(PLUGIN),
                **os.environ,
                "PYTHONPATH": "",
                "OMP_NUM_THREADS": str(THREADS),
                "GST_REGISTRY": folder + "/registry.bin",
                **environment,
            },
        )
    if done.returncode != 0:
        raise Failed((done.stderr.strip().splitlines() or ["it failed"])[-1])
    return json.loads(done.stdout)
