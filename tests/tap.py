# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in Python share: they print TAP, which carries each test's verdict to Meson."""
import traceback


def skip(reason):
    """For a program whose tests need something that isn't there."""
    print(f"1..0 # SKIP {reason}")


def run(tests, subject):
    """Calls each test with what `subject` gives, a function that returns a context manager; whatever
    becomes of one, the others still run."""
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        try:
            with subject() as given:
                test(given)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception:
            print(f"not ok {number} - {test.__name__}", flush=True)
            traceback.print_exc()  # Meson shows what is on standard error where a test fails
