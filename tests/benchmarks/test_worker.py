#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""benchmark-worker answers with what it measures. Python's standard library alone. Prints TAP.

    test_worker.py WORKER PATCHCORE
"""
import array
import contextlib
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap

SIDE = 64
TYPES = {"F32": "f", "F64": "d", "I64": "q", "U8": "B"}


def write(path, name, kind, shape, values):
    """A safetensors file of one tensor."""
    data = array.array(TYPES[kind], values).tobytes()
    entry = {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


def read(path, name):
    """A tensor's shape and values, flat."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()
        entry = header[name]
        first, last = entry["data_offsets"]
        file.seek(start + first)
        values = array.array(TYPES[entry["dtype"]])
        values.frombytes(file.read(last - first))
    return entry["shape"], values.tolist()


class Bench:
    def __init__(self, worker, patchcore, folder):
        self.patchcore, self.folder = patchcore, folder
        self.process = subprocess.Popen(
            [worker, "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = json.loads(self.process.stdout.readline())

    def file(self, name):
        return os.path.join(self.folder, name)

    def ask(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        return self.process.wait()

    def vectors(self, name, rows, width, seed):
        draw = random.Random(seed)
        values = array.array("f", (draw.random() for _ in range(rows * width)))
        write(self.file(name), "rows", "F32", [rows, width], values)
        return [values[i * width : (i + 1) * width] for i in range(rows)]

    def pictures(self, count):
        """As files for the command line and as a tensor for the worker."""
        draw = random.Random(1)
        os.makedirs(self.file("pictures"), exist_ok=True)
        everything = b""
        for number in range(count):
            pixels = draw.randbytes(SIDE * SIDE * 3)
            everything += pixels
            with open(self.file(f"pictures/{number}.ppm"), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels)
        write(self.file("tensor"), "pictures", "U8", [count, SIDE, SIDE, 3], everything)

    def bank(self):
        size = ["--resize", f"{SIDE}x{SIDE}", "--bank-size", "40", "--folds", "0"]
        subprocess.run(
            [self.patchcore, "fit", "--images", self.file("pictures"), "--output", self.file("bank")]
            + [*size, "--device", "cpu", "--precision", "fp32"],
            check=True,
            capture_output=True,
        )
        done = subprocess.run(
            [self.patchcore, "score", "--bank", self.file("bank"), "--images", self.file("pictures")]
            + ["--json", "--device", "cpu", "--precision", "fp32"],
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line)["score"] for line in done.stdout.splitlines()]


def it_says_its_threads(bench):
    assert bench.about == {"ready": True, "threads": 2}, bench.about


def distances_and_rows_are_those_of_squared_differences(bench):
    bank, queries = bench.vectors("rows", 300, 24, 1), bench.vectors("queries", 20, 24, 2)
    answer = bench.ask(
        "index", file=bench.file("rows"), tensor="rows", queries=bench.file("queries"),
        queries_tensor="rows", device="cpu",
    )  # fmt: skip
    assert answer["seconds"] > 0, answer
    assert bench.ask("search", first=0, count=20, k=3)["seconds"] > 0
    bench.ask("neighbours", k=3, output=bench.file("found"))
    _, distances = read(bench.file("found"), "distances")
    _, rows = read(bench.file("found"), "rows")
    for q, query in enumerate(queries):
        wanted = sorted((math.dist(query, row), i) for i, row in enumerate(bank))[:3]
        assert rows[3 * q : 3 * q + 3] == [row for _, row in wanted], q
        for found, (distance, _) in zip(distances[3 * q : 3 * q + 3], wanted):
            assert math.isclose(found, distance, rel_tol=1e-5), (q, found, distance)


def scores_are_those_of_the_command_line(bench):
    bench.pictures(4)
    wanted = bench.bank()
    opened = bench.ask(
        "open", bank=bench.file("bank"), weights="", device="cpu", precision="fp32"
    )
    assert opened["seconds"] > 0, opened
    assert bench.ask("pictures", file=bench.file("tensor")) == {"count": 4}
    assert bench.ask("score", first=0, count=6, batch=2)["seconds"] > 0
    for batch in (1, 3):
        bench.ask("results", indices=[3, 0, 1], batch=batch, output=bench.file("results"))
        _, scores = read(bench.file("results"), "scores")
        shape, _ = read(bench.file("results"), "maps")
        for found, index in zip(scores, (3, 0, 1)):
            assert math.isclose(found, wanted[index], rel_tol=1e-5), (batch, index)
        assert shape == [3, SIDE, SIDE], shape


def a_coreset_is_the_greedy_one(bench):
    rows = bench.vectors("many", 200, 6, 5)
    answer = bench.ask(
        "coreset", file=bench.file("many"), tensor="rows", count=20, preset="anomalib", seed=1,
        device="cpu", output=bench.file("chosen"),
    )  # fmt: skip
    assert answer["seconds"] >= answer["projecting"] > 0, answer
    _, chosen = read(bench.file("chosen"), "rows")
    least = [math.inf] * len(rows)
    for place, centre in enumerate(chosen):
        if place > 0:
            assert math.isclose(least[centre], max(least), rel_tol=1e-5), place
        least = [min(d, math.dist(row, rows[centre])) for d, row in zip(least, rows)]
    assert len(set(chosen)) == 20, chosen


def patches_are_embedded_for_all_pictures(bench):
    bench.pictures(3)
    answer = bench.ask(
        "embed", backbone="builtin", weights="", device="cpu", precision="fp32",
        preset="anomalib", file=bench.file("tensor"), output=bench.file("features"),
    )  # fmt: skip
    assert answer == {}, answer
    shape, _ = read(bench.file("features"), "rows")
    assert shape[0] % 3 == 0 and shape[1] == 160, shape  # 160: the width in docs/presets.md


def what_fails_is_told_and_the_next_is_answered(bench):
    assert "nothing" in bench.ask("pictures", file=bench.file("nothing"))["error"]
    assert "dance" in bench.ask("dance")["error"]
    assert "error" in bench.ask("score")
    bench.pictures(1)
    assert bench.ask("pictures", file=bench.file("tensor")) == {"count": 1}


TESTS = (
    it_says_its_threads,
    distances_and_rows_are_those_of_squared_differences,
    scores_are_those_of_the_command_line,
    a_coreset_is_the_greedy_one,
    patches_are_embedded_for_all_pictures,
    what_fails_is_told_and_the_next_is_answered,
)


@contextlib.contextmanager
def bench_of_its_own():
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(*sys.argv[1:], folder)
        try:
            yield bench
            assert bench.close() == 0, "it ends with its input, status 0"
        finally:
            bench.process.kill()


if __name__ == "__main__":
    tap.run(TESTS, bench_of_its_own)
