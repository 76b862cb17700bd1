#!/usr/bin/env python3
"""Counts the tests of a `meson test` run, those inside a TAP program one by one.

    count_tests.py build/meson-logs

Prints "N passed, N failed, N skipped"; the exit status is 1 if one failed or none ran.

Two logs are read. The JUnit log has the tests inside a program, but Meson 1.0 writes there nothing
of a program that timed out, or that crashed after the last test it reported. The JSON log has the
result of each program. A program that did not end well counts as failed at least once.
"""

import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

OUTCOMES = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped", "IGNORED": "skipped"}
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # such as a colour in the output


def outcome_of_case(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def read_subtests(junit_log):
    """The outcomes inside each TAP program; its suite is named PROJECT.PROGRAM."""
    if not junit_log.exists():
        return {}
    text = NOT_XML.sub("", junit_log.read_text(encoding="utf-8", errors="replace"))
    return {
        suite.get("name").partition(".")[2]: [outcome_of_case(c) for c in suite.iter("testcase")]
        for suite in ElementTree.fromstring(text).iter("testsuite")
        if "." in suite.get("name")
    }


def outcomes_of(program, subtests):
    outcome = OUTCOMES.get(program["result"], "failed")
    if outcome == "skipped" and program["returncode"] == 0 and not subtests:
        # Meson calls a TAP program skipped, too, that ended before it said anything.
        if not re.search(r"^1\.\.0", program["stdout"], re.M):
            print(f"{program['name']}: ended without a word on its tests, so it failed")
            outcome = "failed"
    if outcome == "failed" and "failed" not in subtests:
        return [*subtests, "failed"]
    return subtests or [outcome]


def count(log_folder):
    counts = collections.Counter()
    for json_log in log_folder.glob("testlog*.json"):
        subtests = read_subtests(json_log.with_suffix(".junit.xml"))
        for line in json_log.read_text(encoding="utf-8", errors="replace").splitlines():
            program = json.loads(line)
            counts.update(outcomes_of(program, subtests.get(program["name"], [])))
    return counts


def main():
    counts = count(pathlib.Path(sys.argv[1]))
    print("{passed} passed, {failed} failed, {skipped} skipped".format(
        **{key: counts[key] for key in ("passed", "failed", "skipped")}))
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
