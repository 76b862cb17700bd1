# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/benchmarks: speed.json has all runs, speed.md and speed.svg the newest results."""
import json

from . import chart, tables
from .places import DOCS
from .workloads.catalogue import WORKLOADS

INTRODUCTION = """# Speed

Written by `tests/benchmarks/run --docs`; [speed.json](speed.json) has all runs.

    tests/benchmarks/run                      all workloads, some hours
    tests/benchmarks/run W1 W3                some of them
    tests/benchmarks/run --quick              small banks, some minutes, to see that all works

![ms a picture](speed.svg)

- A time is the median of the rounds; in each every contestant has a turn, in a process of its own
  that waits while the others work (OpenMP's threads spin for some milliseconds before they sleep, so
  a tenth of a second lies between turns; ONNX Runtime stops spinning after each run): same two threads on the same two cores, same weights, same
  input, same bank. Times are of one picture unless it says otherwise. "Cores taken by others" says
  how quiet the machine was.
- Scoring: from 224 x 224 pixels in memory to score and map: normalisation, network, 3 x 3 means,
  nearest row of each of the 784 patches, Eq. 7 with nine neighbours, blurred map. Decoding and
  resize are left out.
- "search alone": the nearest row of each of the 784 vectors of a picture, which are given.
- anomalib torch: anomalib's own model in PyTorch. ONNX Runtime, OpenVINO: the ONNX export that
  anomalib makes, once for each batch size, since its own call fixes the batch at two. OpenVINO runs
  in the precision that it takes by itself, which is shown; ours in the one that is named.
- "Off by": the largest difference from fp64, relative; of scores and maps the whole in fp64 from the
  pixels on, of distances the search on the same given vectors. Maps: relative to each one's largest.
- Peers' coresets are timed on 40 and on 400 centres and scaled: their time is linear in them. The
  official sampler is in no package; it is written after its description, for timing only.
- Peak MB: of the process, its libraries and interpreter included; the workload "memory" has what
  ours takes above an idle process.
"""


def rounds(result, run):
    return run["options"]["coreset_rounds"] if result.get("unit") == "a coreset" else run["rounds"]


def machine(result, run):
    told = run["machine"]
    return (
        f"{told['cpu']}, {told['cores']} cores ({', '.join(told['flags'])}), {told['memory_gb']} GB, "
        f"Linux {told['kernel']}, GPU: {told['gpu'] or 'none'}. "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        + f". {run['date']}, {run['commit']}, {rounds(result, run)} rounds."
    )


def newest(runs):
    """Of each workload the last result that was not skipped, with its run."""
    found = {}
    for run in runs:
        for name, result in run["workloads"].items():
            if "skipped" not in result or name not in found:
                found[name] = (result, run)
    return {name: found[name] for name in WORKLOADS if name in found}


def write(run):
    history = DOCS / "speed.json"
    runs = json.loads(history.read_text()) if history.exists() else []
    runs.append(run)
    history.write_text(json.dumps(runs, indent=1) + "\n")
    results = newest(runs)
    parts = [INTRODUCTION]
    for name, (result, of) in results.items():
        parts.append(f"## {name}: {WORKLOADS[name][1]}\n\n{tables.text(result, tables.markdown)}\n")
        parts.append(machine(result, of) + "\n")
    (DOCS / "speed.md").write_text("\n".join(parts))
    chart.draw({name: result for name, (result, _) in results.items()}, DOCS / "speed.svg")
