# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was measured on."""
import importlib.metadata
import os
import platform
import re
import subprocess

FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8")
PACKAGES = ("anomalib", "torch", "torchvision", "onnxruntime", "openvino", "faiss-cpu", "numpy")


def gpu():
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()

    def field(name):
        found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
        return found.group(1) if found else ""

    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(file.readline().split()[1]) * 1024
    flags = field("flags").split()
    return {
        "cpu": f"{field('model name')}, family {field('cpu family')}, model {field('model')}",
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "kernel": platform.release(),
        "gpu": gpu(),
    }


def versions():
    return {name: importlib.metadata.version(name) for name in PACKAGES}
