# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that stay alive and measure on request: a JSON object a line, an answer a line."""
import json
import os
import subprocess

THREADS = 2
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A contestant couldn't do what it was asked for."""


class Process:
    def __init__(self, command, log, env=None):
        self.log = log
        threads = {f"{library}_NUM_THREADS": str(THREADS) for library in ("OMP", "MKL", "OPENBLAS")}
        with open(log, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **threads, **(env or {})},
            )
        self.about = self._read()

    def ask(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}, default=str) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"it ended with status {self.process.wait()}, see {self.log}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def status(self, field):
        """VmRSS or VmHWM, in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"the kernel doesn't tell {field}")

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def busy_seconds():
    """Of all processors, since the machine started."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, interrupt, soft, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + interrupt + soft) / TICKS
