#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pipelines/ has, each run as it stands on the drawn conveyor. Prints TAP.

    test_scripts.py PIPELINES SCENE PARTFINDER

SCENE: the program that draws; PARTFINDER: a folder with the plugin that stands in for a detector.
"""
import contextlib
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading

from colour_bars import DEADLINE, launch

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap

SERVER = pathlib.Path(__file__).with_name("rtsp_server.py")


class Workshop:
    """Videos of the conveyor, a bank of the good one, and a folder for what is made."""

    def __init__(self, pipelines, scene, partfinder, folder):
        self.pipelines = pathlib.Path(pipelines)
        self.folder = pathlib.Path(folder)
        self.scene_program = scene
        self.env = os.environ | {"SINK": "fakesink"}
        self.env["GST_PLUGIN_PATH"] += ":" + partfinder
        self.env["GST_REGISTRY"] = str(self.folder / "registry.bin")
        self.normal = self.video("it's normal.avi", frames=40, seed=1)
        self.today = self.video("today.avi", frames=20, seed=2, defects=1)
        self.bank = self.folder / "parts.safetensors"
        self.succeed("video", self.normal, self.today, self.bank)

    def scene(self, kind, output, **options):
        words = [f"--{name}={value}" for name, value in options.items()]
        subprocess.run(
            [self.scene_program, kind, "--output", output, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=DEADLINE,
        )
        return output

    def video(self, name, **options):
        return self.scene("video", self.folder / name, size="320x180", **options)

    def run(self, script, *words, **env):
        return subprocess.run(
            [self.pipelines / script, *words],
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )

    def succeed(self, script, *words, **env):
        """Its output."""
        done = self.run(script, *words, **env)
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    @contextlib.contextmanager
    def started(self, *words, **env):
        """A program of this folder that runs on; what it prints, line by line, is in `lines`."""
        with subprocess.Popen(
            words, env=self.env | env, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            process.lines = queue.Queue()
            reader = threading.Thread(
                target=lambda: [process.lines.put(line) for line in process.stdout]
            )
            reader.start()
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                reader.join()

    def json(self, path):
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


def wait_for(process, pattern):
    """The lines up to one that matches."""
    seen = []
    while not (seen and re.search(pattern, seen[-1])):
        try:
            seen.append(process.lines.get(timeout=DEADLINE))
        except queue.Empty:
            raise AssertionError(f"no line has {pattern}: {seen}") from None
    return seen


def painted(shop, video):
    """What `video` shows of a video, beside how it was: bytes of each frame in I420."""
    bank, shown, plain = (shop.folder / name for name in ("again", "shown.yuv", "plain.yuv"))
    shop.succeed("video", shop.normal, video, bank, SINK=f"filesink location={shown}")
    launch(f"filesrc location=\"{video}\" ! decodebin ! filesink location={plain}")
    size = 320 * 180 * 3 // 2
    pairs = zip(shown.read_bytes(), plain.read_bytes(), strict=True)
    changed = [a != b for a, b in pairs]
    return [changed[i : i + size] for i in range(0, len(changed), size)]


def video_paints_what_is_wrong_and_leaves_what_is_not(shop):
    wrong = shop.folder / "wrong.avi"
    launch(
        "videotestsrc pattern=smpte num-buffers=4 ! video/x-raw,width=320,height=180,framerate=25/1"
        f" ! jpegenc ! avimux ! filesink location={wrong}"
    )
    frames = painted(shop, wrong)
    assert len(frames) == 4
    for changed in frames:  # nothing of it was ever seen
        assert sum(changed) > 0.5 * len(changed), sum(changed)
    for changed in painted(shop, shop.normal):
        # The label alone: at 180 lines its letters are 8 high, with a border of 4.
        luma = changed[: 320 * 180]
        assert any(luma)
        assert not any(luma[y * 320 + x] for y in range(180) for x in range(320) if y > 24 or x > 80)


def folder_tells_good_pictures_from_bad(shop):
    pictures = shop.scene("dataset", shop.folder / "pictures", size="160x160", train=40, test=12)
    good, bad = pictures / "test" / "good", shop.folder / "bad"
    bad.mkdir()
    for number, picture in enumerate(sorted(pictures.glob("test/[!g]*/*.png"))):
        (bad / f"{number}.png").symlink_to(picture)
    bank = shop.folder / "pictures.safetensors"
    scores = {}
    for kind in (good, bad):
        lines = shop.succeed("folder", pictures / "train" / "good", kind, bank).splitlines()
        assert [line.split(maxsplit=2)[2] for line in lines] == sorted(map(str, kind.glob("*.png")))
        for line in lines:
            score, verdict, _ = line.split(maxsplit=2)
            assert verdict == ("anomalous" if float(score) >= 0.5 else "normal"), line
        scores[kind] = sorted(float(line.split()[0]) for line in lines)
    middle = [kind[len(kind) // 2] for kind in scores.values()]
    assert middle[0] < 0.5 < middle[1], scores


def webcam_learns_then_watches(shop):
    bank = shop.folder / "webcam.safetensors"
    lines = shop.folder / "webcam.jsonl"
    camera = f"multifilesrc location={shop.folder}/frames/%05d.jpg caps=image/jpeg,framerate=25/1 ! jpegdec"
    (shop.folder / "frames").mkdir()
    launch(
        f"filesrc location=\"{shop.normal}\" ! avidemux"
        f" ! multifilesink location={shop.folder}/frames/%05d.jpg"
    )
    shop.succeed(
        "webcam", bank, SOURCE=camera, LEARN="20", SINK=f"patchcorejson ! filesink location={lines}"
    )
    states = [line["results"][0]["state"] for line in shop.json(lines)]
    assert states == 20 * ["learning"] + 20 * ["scored"], states
    assert bank.exists()


def json_file_has_a_line_a_frame(shop):
    lines = shop.folder / "today.jsonl"
    shop.succeed("json-file", shop.today, shop.bank, lines)
    found = shop.json(lines)
    assert len(found) == 20
    assert all(line["results"][0]["state"] == "scored" for line in found), found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def connected(port):
    """A connection, once somebody listens."""
    for _ in range(10 * DEADLINE):
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), DEADLINE)
        threading.Event().wait(0.1)
    raise AssertionError(f"nobody listens to port {port}")


def json_tcp_tells_whoever_connects(shop):
    port = free_port()
    camera = "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=25/1"
    with shop.started(shop.pipelines / "json-tcp", shop.bank, str(port), SOURCE=camera):
        with connected(port) as client, client.makefile(encoding="utf-8") as text:
            # It is live: a machine that is too slow leaves frames between them unscored.
            scored = (line for line in text if json.loads(line)["results"][0]["state"] == "scored")
            for _ in range(5):
                next(scored)


def parts_looks_at_what_a_detector_found(shop):
    bank, lines = shop.folder / "rois.safetensors", shop.folder / "rois.jsonl"
    shop.succeed("parts", shop.normal, shop.today, bank, lines, DETECTOR="videoconvert ! partfinder")
    found = [line["results"] for line in shop.json(lines)]
    assert len(found) == 20
    results = [result for some in found for result in some if result["state"] == "scored"]
    assert results, found
    for result in results:
        assert result["roi-type"] == "part", result
        # A part is 0.42 of the frame wide; it turns a little.
        assert 0.3 < result["roi-width"] < 0.6 and 0.4 < result["roi-height"] < 0.9, result
    assert any(result["anomalous"] for result in results), results


def wall_shows_four_streams_at_once(shop):
    picture = shop.folder / "wall.yuv"
    sink = f"video/x-raw,format=I420 ! filesink location={picture}"
    uris = [path.as_uri() for path in (shop.normal, shop.today, shop.today, shop.normal)]
    shop.succeed("wall", shop.bank, *uris, SINK=sink)
    frame = 1280 * 720 * 3 // 2
    pictures = picture.read_bytes()
    assert len(pictures) % frame == 0 and len(pictures) // frame >= 20, len(pictures)
    luma = pictures[10 * frame :][: 1280 * 720]
    for top in (0, 360):
        for left in (0, 640):
            part = b"".join(luma[y * 1280 + left :][:640] for y in range(top, top + 360))
            assert len(set(part)) > 50, (top, left)  # not the background


@contextlib.contextmanager
def rtsp_camera(shop, video, port=0):
    """Serves a video; its port is in `port`."""
    with shop.started(sys.executable, SERVER, str(port), video) as process:
        process.port = int(process.lines.get(timeout=DEADLINE))
        yield process


def cameras_learn_share_an_engine_and_come_back(shop):
    """Two RTSP cameras, one of them restarted in the middle, beside two others of which one serves
    nothing but garbage."""
    banks = shop.folder / "banks"
    banks.mkdir()
    long = shop.video("long.avi", frames=1500, seed=1)
    port = free_port()
    with (
        rtsp_camera(shop, long) as steady,
        contextlib.ExitStack() as fragile,
        socket.create_server(("127.0.0.1", 0)) as garbage,
    ):
        threading.Thread(target=talk_nonsense, args=[garbage], daemon=True).start()
        first = fragile.enter_context(rtsp_camera(shop, long))
        uris = [
            f"steady=rtsp://127.0.0.1:{steady.port}/camera",
            f"fragile=rtsp://127.0.0.1:{first.port}/camera",
            f"garbage=rtsp://127.0.0.1:{garbage.getsockname()[1]}/camera",
            f"file={shop.normal.as_uri()}",
        ]
        words = ["--banks", banks, "--learn", "20", "--tcp", str(port), *uris]
        with shop.started(sys.executable, shop.pipelines / "cameras.py", *words) as watching:
            seen = wait_for(watching, "fragile  learnt, watching")
            if not any("steady  learnt" in line for line in seen):
                seen += wait_for(watching, "steady  learnt")
            assert any(re.search("garbage  lost", line) for line in seen), seen
            assert {path.stem for path in banks.iterdir()} >= {"steady", "fragile"}
            fragile.close()
            wait_for(watching, "fragile  lost")
            with connected(port) as client, client.makefile(encoding="utf-8") as text:
                assert "steady" in cameras_heard(text, 10)
            with rtsp_camera(shop, long, first.port):
                wait_for(watching, "fragile  connected, watching")
                with connected(port) as client, client.makefile(encoding="utf-8") as text:
                    assert {"steady", "fragile"} <= cameras_heard(text, 100)
            os.kill(watching.pid, signal.SIGINT)
            assert watching.wait(DEADLINE) == 130


def talk_nonsense(server):
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(bytes(range(256)) * 40)


def cameras_heard(lines, count):
    return {json.loads(next(lines))["results"][0]["camera-id"] for _ in range(count)}


def cameras_end_with_one_where_the_port_is_taken(shop):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = shop.run("cameras.py", "--banks", shop.folder, "--tcp", port, "a=file:///nowhere.avi")
    assert done.returncode == 1 and "--tcp  failed: " in done.stdout, (done.returncode, done.stdout)


def cameras_end_with_one_where_a_bank_is_broken(shop):
    broken = shop.folder / "broken"
    broken.mkdir()
    (broken / "a.safetensors").write_bytes(b"no bank")
    done = shop.run("cameras.py", "--banks", broken, f"a={shop.normal.as_uri()}")
    assert done.returncode == 1 and "a  failed: " in done.stdout, (done.returncode, done.stdout)


def wrong_usage_is_two(shop):
    for script in ("video", "folder", "webcam", "json-file", "json-tcp", "parts", "wall"):
        done = shop.run(script)
        assert done.returncode == 2 and f"pipelines/{script} " in done.stderr, (script, done.stderr)
    for words in ([], ["a"], ["a=file:///x", "a=file:///y"], ["b/c=file:///x"]):
        done = shop.run("cameras.py", *words)
        assert done.returncode == 2 and "NAME=URI" in done.stderr, (words, done.stderr)


TESTS = (
    video_paints_what_is_wrong_and_leaves_what_is_not,
    folder_tells_good_pictures_from_bad,
    webcam_learns_then_watches,
    json_file_has_a_line_a_frame,
    json_tcp_tells_whoever_connects,
    parts_looks_at_what_a_detector_found,
    wall_shows_four_streams_at_once,
    cameras_learn_share_an_engine_and_come_back,
    cameras_end_with_one_where_the_port_is_taken,
    cameras_end_with_one_where_a_bank_is_broken,
    wrong_usage_is_two,
)


def main():
    try:
        import gi

        gi.require_version("GstRtspServer", "1.0")
    except (ImportError, ValueError) as error:
        tap.skip(f"{sys.executable} lacks what this needs: {error}")
        return
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(*sys.argv[1:4], folder)
        tap.run(TESTS, lambda: contextlib.nullcontext(shop))


if __name__ == "__main__":
    main()
