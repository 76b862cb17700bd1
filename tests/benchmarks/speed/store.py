# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that are made once: named by a hash of all that they are made from."""
import hashlib
import json
import os
import sys

from .places import HERE

LONGEST = 150  # of what is said of a recipe, characters


def made(kind, suffix, recipe, make):
    """The file of this recipe; make(path) writes it where it isn't there yet. A file among the
    recipe's values stands for its content, since its name has its own recipe's hash."""
    text = json.dumps(recipe, sort_keys=True, default=lambda value: value.name)
    name = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}{suffix}"
    path = HERE / "inputs" / name
    if not path.exists():
        shown = text if len(text) < LONGEST else text[:LONGEST] + " ..."
        print(f"  making {kind} of {shown}", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name("draft-" + path.name)
        make(draft)
        os.rename(draft, path)
    return path


def content(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
