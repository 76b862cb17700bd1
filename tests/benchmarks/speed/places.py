# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where things are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
SHARED = pathlib.Path(os.environ.get("PATCHCORE_SHARED", ROOT.parent / "shared"))
HERE = BUILD / "benchmarks"
DOCS = ROOT / "docs" / "benchmarks"

WORKER = BUILD / "tests" / "benchmarks" / "benchmark-worker"
SCENE = BUILD / "tests" / "scene" / "patchcore-scene"
PATCHCORE = BUILD / "lib" / "cli" / "patchcore"
PLUGIN = BUILD / "gst-plugin"


def log(name):
    folder = HERE / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"
