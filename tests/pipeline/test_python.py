#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""patchcoredetect in a Python program, beside what else such programs load.

    test_python.py VERSION

VERSION is that of the LibTorch that was built with. Whole torch packages of that and of another
release are too large for a plain run, where these tests skip; an interpreter that has one runs
this by hand, with GST_PLUGIN_PATH set. Prints TAP. Each test is a program of its own,
`test_python.py VERSION TEST`: in which order libraries are loaded is what is tested.
"""
import ctypes
import os
import subprocess
import sys
import tempfile

SKIPPED = 77
FRAMES = 4
SOURCE = (
    f"videotestsrc num-buffers={FRAMES} pattern=ball"
    " ! video/x-raw,format=GRAY8,width=128,height=128 ! "
)


def skip(reason):
    print(" ".join(str(reason).split()))
    sys.exit(SKIPPED)


def import_gst():
    try:
        import gi
    except ImportError:
        sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, which a venv doesn't see
        try:
            import gi
        except ImportError as error:
            skip(f"gi: {error}")
    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    return Gst


def import_torch(same_release=True):
    try:
        import torch
    except (ImportError, OSError) as error:
        skip(f"torch: {error}")
    if (torch.__version__.split("+")[0] == sys.argv[1]) != same_release:
        skip(f"torch is {torch.__version__}, patchcore was built with {sys.argv[1]}")
    return torch


def run(Gst, line):
    """Runs a pipeline to its end. Returns the scores and the error, which is None at EOS."""
    pipeline = Gst.parse_launch(SOURCE + line + " ! fakesink")
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    scores, error, ended = [], None, False
    wanted = Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.ELEMENT
    while not ended:
        message = bus.timed_pop_filtered(120 * Gst.SECOND, wanted)
        assert message, "no end within two minutes"
        if message.type == Gst.MessageType.ELEMENT:
            result = message.get_structure()
            if result.get_name() == "patchcore" and result.get_string("state") == "scored":
                scores.append(result.get_value("score"))
        else:
            ended = True
            if message.type == Gst.MessageType.ERROR:
                error = message.parse_error()[0]
    pipeline.set_state(Gst.State.NULL)
    return scores, error


def fit_and_score(Gst):
    with tempfile.TemporaryDirectory() as folder:
        bank = os.path.join(folder, "bank.safetensors")
        element = f"patchcoredetect device=cpu bank-location={bank}"
        _, error = run(Gst, f"{element} mode=fit input-size=128")
        assert error is None, error
        scores, error = run(Gst, element)
        assert error is None, error
    assert len(scores) == FRAMES, scores
    return scores


def assert_error_is_told(Gst):
    _, error = run(Gst, "patchcoredetect device=cpu bank-location=/nowhere/bank.safetensors")
    assert error.matches(Gst.ResourceError.quark(), Gst.ResourceError.NOT_FOUND), error


def assert_torch_works(torch):
    assert (torch.ones(2, 3) @ torch.ones(3, 2)).sum().item() == 12
    try:
        torch.ones(2) @ torch.ones(3)
    except RuntimeError:
        return
    raise AssertionError("vectors of 2 and 3 numbers were multiplied")


def torch_imported_first_is_shared():
    torch = import_torch()
    Gst = import_gst()
    fit_and_score(Gst)
    assert_error_is_told(Gst)
    assert_torch_works(torch)


def torch_imported_after_the_element_ran_is_shared():
    Gst = import_gst()
    before = fit_and_score(Gst)
    torch = import_torch()
    assert_torch_works(torch)
    assert fit_and_score(Gst) == before
    assert_error_is_told(Gst)


def torch_of_another_release_is_refused_and_goes_on():
    torch = import_torch(same_release=False)
    Gst = import_gst()
    _, error = run(Gst, "patchcoredetect device=cpu bank-location=/nowhere/bank.safetensors")
    assert error.matches(Gst.LibraryError.quark(), Gst.LibraryError.INIT), error
    theirs = os.path.dirname(torch.__file__) + "/lib/libtorch"
    for named in (torch.__version__, theirs, f"LibTorch {sys.argv[1]}: /"):
        assert named in error.message, error.message
    assert_torch_works(torch)


def an_error_is_told_where_cpp_was_loaded_before_gstreamer():
    """As by numpy: then libstdc++ throws with libgcc_s, though libunwind is found first later."""
    ctypes.CDLL("libstdc++.so.6")
    Gst = import_gst()
    assert_error_is_told(Gst)


def an_error_is_told_where_cpp_was_loaded_after_gstreamer():
    Gst = import_gst()
    ctypes.CDLL("libstdc++.so.6")
    assert_error_is_told(Gst)


TESTS = [
    torch_imported_first_is_shared,
    torch_imported_after_the_element_ran_is_shared,
    torch_of_another_release_is_refused_and_goes_on,
    an_error_is_told_where_cpp_was_loaded_before_gstreamer,
    an_error_is_told_where_cpp_was_loaded_after_gstreamer,
]


def main():
    print(f"1..{len(TESTS)}")
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")  # torch's folder stays as it is
    for number, test in enumerate(TESTS, 1):
        ended = subprocess.run(
            [sys.executable, __file__, sys.argv[1], test.__name__],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        if ended.returncode == SKIPPED:
            reason = ended.stdout.splitlines()[-1]
            print(f"ok {number} - {test.__name__} # SKIP {reason}", flush=True)
            continue
        print("ok" if ended.returncode == 0 else "not ok", number, "-", test.__name__, flush=True)
        if ended.returncode != 0:
            print(f"# status {ended.returncode}", flush=True)
            print("".join(f"# {line}\n" for line in ended.stdout.splitlines()), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        next(test for test in TESTS if test.__name__ == sys.argv[2])()
    else:
        main()
