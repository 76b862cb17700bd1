# SPDX-License-Identifier: LGPL-2.1-or-later
import argparse
import dataclasses
import datetime
import json
import os
import sys
import time

from . import inputs, machine, tables
from .options import Options
from .places import HERE
from .process import THREADS, Failed
from .workloads.catalogue import WORKLOADS


def numbers(text):
    return tuple(int(part) for part in text.split(","))


def parse():
    listed = "\n".join(f"  {name:8} {what}" for name, (_, what) in WORKLOADS.items())
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks/run",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures this library beside its peers. It decides nothing.",
        epilog=f"workloads, all by default:\n{listed}",
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    parser.add_argument("--quick", action="store_true", help="small banks, few rounds: minutes")
    parser.add_argument("--rounds", type=int, help="turns of each contestant [9]")
    parser.add_argument("--coreset-rounds", type=int, help="the same of W4 and W6's coreset [9]")
    parser.add_argument("--batches", type=numbers, help="pictures at a time on the CPU [1,8]")
    parser.add_argument("--frames", type=int, help="frames of the workload memory [10000]")
    parser.add_argument("--note", default="", help="a remark that goes into the JSON")
    parser.add_argument(
        "--docs", action="store_true", help="add the run to docs/benchmarks/speed.json, .md and .svg"
    )
    given = parser.parse_args()
    if unknown := [name for name in given.workloads if name not in WORKLOADS]:
        parser.error(f"there is no workload {unknown[0]}; there are {', '.join(WORKLOADS)}")
    return given


def options_of(given):
    options = Options.quick() if given.quick else Options()
    for name in ("rounds", "coreset_rounds", "batches", "frames"):
        if getattr(given, name) is not None:
            setattr(options, name, getattr(given, name))
    return options


def measure(name, options):
    function, what = WORKLOADS[name]
    print(f"{name}: {what}", file=sys.stderr)
    began = time.monotonic()
    try:
        result = function(options)
    except Failed as reason:
        result = {"skipped": f"it failed: {reason}"}
    result["took_s"] = round(time.monotonic() - began)
    print(f"\n{name}: {what}\n{tables.text(result, tables.plain)}", flush=True)
    return result


def main():
    given = parse()
    options = options_of(given)
    cores = sorted(os.sched_getaffinity(0))
    run = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": inputs.commit(),
        "note": given.note,
        "quick": given.quick,
        "rounds": options.rounds,
        "options": dataclasses.asdict(options),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "workloads": {},
    }
    os.sched_setaffinity(0, cores[:THREADS])  # the contestants inherit it
    results = HERE / "results.json"
    for name in given.workloads or WORKLOADS:
        run["workloads"][name] = measure(name, options)
        results.write_text(json.dumps(run, indent=1) + "\n")  # kept if the next is interrupted
    print(f"\n{results} has all figures.")
    if given.docs:
        from . import page

        page.write(run)


if __name__ == "__main__":
    main()
