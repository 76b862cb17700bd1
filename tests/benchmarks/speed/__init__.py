# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures patchcore beside its peers; see docs/benchmarks/speed.md."""
