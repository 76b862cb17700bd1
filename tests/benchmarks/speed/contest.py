# SPDX-License-Identifier: LGPL-2.1-or-later
"""Contestants take turns, round by round: one works, the others wait for a line on standard input."""
import contextlib
import statistics
import sys
import time

from .process import Failed, Process, busy_seconds

# OpenMP's threads look for more work for some milliseconds before they sleep.
REST = 0.1


class Contestant:
    """A process, and what it is called in the tables."""

    def __init__(self, name, command, log, ours=False, env=None):
        self.name, self.ours = name, ours
        self.process = Process(command, log, env)
        self.turns = []  # seconds a unit
        self.others = []  # processors that other programs took meanwhile
        self.row = {}  # what it told of itself

    def turn(self, do, count, units, **fields):
        time.sleep(REST)
        busy, own = busy_seconds(), self.process.processor_seconds()
        took = self.process.ask(do, count=count, **fields)["seconds"]
        others = busy_seconds() - busy - (self.process.processor_seconds() - own)
        return took / units, max(0.0, others / took)


def prepared(one, do, **fields):
    """The contestant once it has done what must come first."""
    try:
        one.row = one.process.ask(do, **fields)
    except Failed:
        one.process.close()
        raise
    return one


def measure(contestants, rounds, do, units_of, shortest=0.5, longest=48, step=1, **fields):
    """Each contestant does some units of work a turn, as many as take `shortest` seconds, in steps of
    `step`, at most `longest`. units_of(n): the count to ask for. Fills in turns."""
    counts = {}
    for one in contestants:
        one.turns, one.others = [], []
        one.process.ask(do, count=units_of(step), **fields)  # the first one allocates
        each, _ = one.turn(do, units_of(step), step, **fields)
        steps = min(max(1, round(shortest / each / step)), max(1, longest // step))
        counts[one] = steps * step
    for number in range(rounds):
        for one in contestants:
            each, others = one.turn(do, units_of(counts[one]), counts[one], **fields)
            one.turns.append(each)
            one.others.append(others)
        print(f"\r  round {number + 1} of {rounds}", end="", file=sys.stderr)
    print(file=sys.stderr)


def summary(one):
    """Of the last measure()."""
    quartiles = statistics.quantiles(one.turns, n=4) if len(one.turns) > 1 else one.turns * 3
    return {
        "name": one.name,
        "ours": one.ours,
        "ms": 1000 * statistics.median(one.turns),
        "quartiles": [1000 * quartiles[0], 1000 * quartiles[2]],
        "rounds": len(one.turns),
        "other_programs": statistics.median(one.others),
        "peak_mb": one.process.status("VmHWM") / 1e6,
    }


def with_ratios(rows):
    """Adds how many times sooner than the best peer each is done."""
    peers = [row["ms"] for row in rows if not row["ours"] and row.get("exact", True)]
    for row in rows:
        row["ratio"] = min(peers) / row["ms"] if peers else None
    return rows


@contextlib.contextmanager
def started(makers):
    """Those of `makers`, name -> function that starts and prepares a contestant, that can be had."""
    contestants, missing = [], {}
    try:
        for name, make in makers.items():
            try:
                contestants.append(make(name))
            except Failed as reason:
                missing[name] = str(reason)
                print(f"  {name} is left out: {reason}", file=sys.stderr)
        yield contestants, missing
    finally:
        for one in contestants:
            one.process.close()
