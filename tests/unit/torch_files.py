#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes files as torch.save() does, and hostile ones, with Python's own pickle and zipfile.

    torch_files.py FOLDER

The hostile ones are listed in FOLDER/hostile.txt, a line each: kind, file, what the refusal names.
Those that hold code would make the file FOLDER/pwned.
"""

import collections
import copy
import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile

FOLDER = pathlib.Path(sys.argv[1])
MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER


def module(name, **content):
    """A stand-in: pickles name torch's classes and functions by module and name alone."""
    made = sys.modules[name] = types.ModuleType(name)
    for key, value in content.items():
        value.__module__, value.__qualname__ = name, key
        setattr(made, key, value)
    return made


FORMATS = {"Float": "f", "Double": "d", "Half": "e", "Long": "q", "Int": "i", "Short": "h",
           "Char": "b", "Byte": "B", "Bool": "?", "BFloat16": None, "ComplexFloat": "f"}
torch = module("torch", **{name + "Storage": type(name, (), {}) for name in FORMATS})
utils = module("torch._utils", _rebuild_tensor_v2=lambda *a: None,
               _rebuild_parameter=lambda *a: None)
someone = module("someone", Config=type("Config", (), {}))


class Storage:
    """What torch.save() stores apart from the pickle."""

    def __init__(self, kind, values, key, count=None):
        if kind == "BFloat16":
            self.bytes = b"".join(struct.pack("<f", v)[2:] for v in values)
        else:
            self.bytes = struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)
        self.count = len(values) if count is None else count
        self.id = ("storage", getattr(torch, kind + "Storage"), key, "cpu", self.count)


class Tensor:
    def __init__(self, storage, sizes, strides, offset=0):
        self.parts = (storage, offset, sizes, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return utils._rebuild_tensor_v2, self.parts


class Parameter:
    def __init__(self, tensor):
        self.parts = (tensor, True, collections.OrderedDict())

    def __reduce__(self):
        return utils._rebuild_parameter, self.parts


class Pickler(pickle.Pickler):
    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.storages = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        self.storages[value.id[2]] = value
        return value.id


def pickled(value, protocol=2):
    file = io.BytesIO()
    pickler = Pickler(file, protocol)
    pickler.dump(value)
    return file.getvalue(), pickler.storages


def archive(name, data, members, compression=zipfile.ZIP_STORED, byteorder="little"):
    with zipfile.ZipFile(FOLDER / name, "w", compression) as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/byteorder", byteorder)
        for key, value in members.items():
            file.writestr(f"archive/data/{key}", value)
        file.writestr("archive/version", "3\n")


def save(name, value, protocol=2):
    """As PyTorch 1.6 and later."""
    data, storages = pickled(value, protocol)
    archive(name, data, {key: storage.bytes for key, storage in storages.items()})


def save_plain(name, data, storages, little=True):
    """As before."""
    facts = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"short": 2}}
    with open(FOLDER / name, "wb") as file:
        for part in MAGIC, 1001, facts:
            pickle.dump(part, file, 2)
        file.write(data)
        pickle.dump(sorted(storages), file, 2)
        for key in sorted(storages):
            file.write(struct.pack("<q", storages[key].count) + storages[key].bytes)


def good():
    shared = Storage("Float", [i / 8 for i in range(12)], "0")
    state = collections.OrderedDict(
        whole=Tensor(shared, (4, 3), (3, 1)),
        part=Tensor(shared, (2, 2), (3, 1), 4),
        transposed=Tensor(shared, (3, 4), (1, 3)),
        scalar=Tensor(shared, (), (), 5),
        parameter=Parameter(Tensor(shared, (2,), (6,))),
        empty=Tensor(Storage("Float", [], "1"), (0, 4), (4, 1)))
    for i, (kind, values) in enumerate({
            "Half": [0.5, -2, 65504], "BFloat16": [1.5, -3, 2.0**100], "Double": [0.1, -1e300],
            "Long": [-1, 2**40], "Int": [-(2**31), 7], "Short": [-(2**15), 7], "Char": [-128, 127],
            "Byte": [0, 255], "Bool": [True, False]}.items()):
        state[kind] = Tensor(Storage(kind, values, str(2 + i)), (len(values),), (1,))
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state


def write_good():
    save("zip.pth", good())
    save("zip4.pth", good(), 4)
    save_plain("plain.pth", *pickled(good()))
    save("nested.pth", {"state_dict": good(), "epoch": 3, "rate": 0.5, "names": ["a", None]})
    save("few.pth", {"a": Tensor(Storage("Float", [1, 2], "0"), (2,), (1,))})
    save_plain("few_plain.pth", *pickled({"a": Tensor(Storage("Float", [1, 2], "0"), (2,), (1,))}))
    save("nan.pth", {"a": Tensor(Storage("Float", [1, float("nan")], "0"), (2,), (1,))})
    save("infinite.pth", {"a": Tensor(Storage("Half", [1, float("inf")], "0"), (2,), (1,))})
    config = someone.Config()
    config.depth = 3
    save("unknown.ckpt", {"state_dict": good(), "config": config, "all": [config, config]})


HOSTILE = []


def hostile(kind, name, named, data, members=None):
    """A pickle in an archive and in a plain file."""
    archive(name + ".pth", data, members or {})
    HOSTILE.append((kind, name + ".pth", named))
    save_plain(name + "_plain.pth", data, {})
    HOSTILE.append((kind, name + "_plain.pth", named))


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def write_code():
    command = text(f"touch {FOLDER / 'pwned'}")
    python = text(f"open({str(FOLDER / 'pwned')!r}, 'w')")
    for name, named, data in (
            ("reduce", "os.system", b"cos\nsystem\n" + command + b"\x85R."),
            ("stack_global", "posix.system",
             b"\x80\x04" + text("posix") + text("system") + b"\x93" + command + b"\x85R."),
            ("newobj", "subprocess.Popen", b"csubprocess\nPopen\n" + command + b"\x85\x81."),
            ("newobj_ex", "subprocess.run",
             b"\x80\x04csubprocess\nrun\n" + command + b"\x85}\x92."),
            ("inst", "os.system", b"(" + command + b"ios\nsystem\n."),
            ("obj", "os.system", b"(cos\nsystem\n" + command + b"o."),
            ("eval", "builtins.eval", b"cbuiltins\neval\n" + python + b"\x85R."),
            ("exec", "builtins.exec", b"cbuiltins\nexec\n" + python + b"\x85R."),
            ("old_eval", "__builtin__.eval", b"c__builtin__\neval\n" + python + b"\x85R."),
            ("import", "importlib.import_module",
             b"cimportlib\nimport_module\n" + text("antigravity") + b"\x85R."),
            ("named", "os.system", b"}" + text("a") + b"cos\nsystem\ns."),
            ("ext1", "extension", b"\x80\x02\x82\x01)R."),
            ("ext2", "extension", b"\x80\x02\x83\x01\x00)R."),
            ("ext4", "extension", b"\x80\x02\x84\x01\x00\x00\x00)R.")):
        hostile("code", name, named, data)
    for name, named in (("unknown_class", "someone.Config"), ("lambda", "torch.hub.load")):
        where, last = named.rsplit(".", 1)
        hostile("class", name, named, f"c{where}\n{last}\n)R.".encode())


def write_shapes():
    def tensor(name, named, sizes, strides, offset=0, kind="Float", count=None):
        storage = Storage(kind, [1, 2, 3, 4], "0", count)
        data, storages = pickled({"a": Tensor(storage, sizes, strides, offset)})
        archive(name + ".pth", data, {"0": storage.bytes})
        HOSTILE.append(("shape", name + ".pth", named))
        save_plain(name + "_plain.pth", data, storages)
        HOSTILE.append(("shape", name + "_plain.pth", named))

    larger = "larger than its storage"
    tensor("long", larger, (5,), (1,))
    tensor("behind", larger, (2,), (1,), 3)
    tensor("far", larger, (1,), (1,), 4)
    tensor("strided", larger, (2, 2), (3, 1))
    tensor("repeated", larger, (1000, 1000), (0, 0))
    tensor("product", larger, (2**32, 2**32), (1, 1))
    tensor("reach", larger, (3, 2), (2**62, 1))
    tensor("offset", larger, (2,), (2**62,), 2**62)
    tensor("hollow", larger, (0, 2**32, 2**32), (1, 1, 1))
    tensor("negative_side", "no size", (-1,), (1,))
    tensor("negative_stride", "no size", (2,), (-1,), 3)
    tensor("negative_offset", "no size", (2,), (1,), -1)
    tensor("beyond_64_bits", "no size", (2**70,), (1,))
    tensor("float_side", "no size", (1.0,), (1,))
    tensor("dimensions", "dimensions", (1,) * 9, (1,) * 9)
    tensor("fewer_strides", "strides", (2, 2), (1,))
    tensor("count", "larger than the file", (2,), (1,), count=2**61)
    tensor("overflowing_count", "larger than the file", (2,), (1,), count=2**63 - 1)
    tensor("negative_count", "no size", (2,), (1,), count=-1)
    tensor("complex", "torch.ComplexFloatStorage", (2,), (1,), kind="ComplexFloat")


def write_pickles():
    for name, named, data in (
            ("nothing", "ends too early", b""),
            ("no_stop", "ends too early", b"N"),
            ("no_value", "stack is empty", b"."),
            ("no_mark", "mark is missing", b"t."),
            ("below_mark", "stack is empty", b"N(\x85."),
            ("no_memo", "doesn't have", b"h\x05."),
            ("odd", "no value", b"}(Nu."),
            ("opcode", "opcode 255", b"\xff."),
            ("protocol", "newer", b"\x80\x06N."),
            ("persistent_text", "persistent id", b"P0\n."),
            ("persistent_none", "no name", b"NQ."),
            ("call_of_text", "no name", text("os.system") + b")R."),
            ("number", "no number", b"I12x\n."),
            ("not_utf8", "UTF-8", b"X\x01\x00\x00\x00\xff."),
            ("zero_byte", "UTF-8", b"X\x01\x00\x00\x00\x00."),
            ("long_text", "ends too early", b"\x8d" + b"\xff" * 8 + b"."),
            ("long_bytes", "ends too early", b"\x8e" + b"\xff" * 7 + b"\x7f."),
            ("long_number", "ends too early", b"\x8b\xff\xff\xff\x7f."),
            ("long_line", "ends too early", b"cos"),
            ("no_dict", "no dict", b"N."),
            ("empty_dict", "no dict", b"}.")):
        hostile("pickle", name, named, data)


def write_bombs():
    many = 3 << 20
    deep = 100_000
    hostile("bomb", "values", "too many", b"]" * many + b".")
    hostile("bomb", "memos", "too many", b"N" + b"\x94" * many + b".")
    hostile("bomb", "nesting", "no dict", b"]" * deep + b"a" * (deep - 1) + b".")
    hostile("bomb", "endless", "no dict", b"]q\x00h\x00a.")
    # A tuple of 100,000 and a name of 200,000 letters, each used a 100,000 times.
    wide = b"(" + b"N" * deep + b"tq\x00"
    hostile("bomb", "copies", "no dict",
            wide + b"ctorch\nSize\nq\x01" + b"h\x01h\x00R0" * deep + b".")
    hostile("bomb", "names", "too long",
            text("n" * 2 * deep) + b"q\x00" + b"h\x00h\x00\x93" * deep + b".")
    storage = Storage("Float", [0] * 1000, "0")
    data, storages = pickled({f"t{i}": Tensor(storage, (1000,), (1,)) for i in range(2000)})
    archive("shared.pth", data, {"0": storage.bytes})
    HOSTILE.append(("bomb", "shared.pth", "larger than the file"))


def write_archives():
    storage = Storage("Float", [1, 2, 3, 4], "0")
    data, _ = pickled({"a": Tensor(storage, (4,), (1,))})
    for name, named, members in (("no_member", "missing", {}),
                                 ("short_member", "missing", {"0": storage.bytes[:-1]}),
                                 ("long_member", "missing", {"0": storage.bytes + b"\0"})):
        archive(name + ".pth", data, members)
        HOSTILE.append(("archive", name + ".pth", named))
    archive("big_endian.pth", data, {"0": storage.bytes}, byteorder="big")
    HOSTILE.append(("archive", "big_endian.pth", "big-endian"))
    save_plain("big_endian_plain.pth", data, {"0": storage}, little=False)
    HOSTILE.append(("archive", "big_endian_plain.pth", "big-endian"))

    archive("swollen.pth", b"N" * (32 << 20), {}, zipfile.ZIP_DEFLATED)
    HOSTILE.append(("archive", "swollen.pth", "too large"))
    zeros = Storage("Byte", bytes(64 << 20), "0")
    data, _ = pickled({"a": Tensor(zeros, (64 << 20,), (1,))})
    archive("deflated.pth", data, {"0": zeros.bytes}, zipfile.ZIP_DEFLATED)
    HOSTILE.append(("archive", "deflated.pth", "larger than the file"))

    with zipfile.ZipFile(FOLDER / "no_pickle.pth", "w") as file:
        file.writestr("archive/version", "3\n")
    HOSTILE.append(("archive", "no_pickle.pth", "data.pkl"))
    (FOLDER / "text.pth").write_text("weights")
    HOSTILE.append(("archive", "text.pth", "torch.save()"))
    (FOLDER / "empty.pth").write_text("")
    HOSTILE.append(("archive", "empty.pth", "torch.save()"))
    write_overlapping()


def write_overlapping():
    """A hundred members that are the same bytes of the file."""
    storages = [Storage("Byte", bytes(10_000), str(i)) for i in range(100)]
    data, _ = pickled({f"t{s.id[2]}": Tensor(s, (10_000,), (1,)) for s in storages})
    with zipfile.ZipFile(FOLDER / "overlapping.pth", "w") as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/version", "3\n")
        file.writestr("archive/data/0", storages[0].bytes)
        first = file.filelist[-1]
        for storage in storages[1:]:
            member = copy.copy(first)
            member.filename = f"archive/data/{storage.id[2]}"
            file.filelist.append(member)
    HOSTILE.append(("archive", "overlapping.pth", "its tensors are larger than the file"))


if __name__ == "__main__":
    write_good()
    write_code()
    write_shapes()
    write_pickles()
    write_bombs()
    write_archives()
    (FOLDER / "hostile.txt").write_text("".join("\t".join(h) + "\n" for h in HOSTILE))
