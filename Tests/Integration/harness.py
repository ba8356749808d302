"""What the integration tests share: the real server as a process, an HTTP client, and images made here.

Environment: TEST_BINARY and TEST_BACKBONE say what to test; the defaults are what `make build backbone` makes.
"""

import base64
import http.client
import io
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.parse
import zipfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TEST_BINARY", str(ROOT / ".build/release/clserver"))
BACKBONE = os.environ.get("TEST_BACKBONE", str(ROOT / "var/backbones/clip-vit-b-16"))
STAMPS = pathlib.Path("/usr/share/tuxpaint/stamps")
SHARED = ROOT.parent / "shared" / "data"

# The smallest resolution that still tells photographs apart: behaviour tests need no accuracy.
SMALL = 64


class Server:
    """A server process on a free port with a state directory of its own. Use as a context manager."""

    def __init__(self, *flags, state=None, resolution=SMALL, environment=None, log=None, limit=None,
                 learner="closed-form"):
        """`limit` bounds the files that the process may have open: a number, or the soft and the hard one. Only tests
        of prompts have them trained: `learner` is the setting of that name."""
        self.learner = learner
        self.limit = (limit, limit) if isinstance(limit, int) else limit
        self.owned = state is None
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="clserver-test-"))
        self.flags = list(flags)
        self.resolution = resolution
        self.environment = environment or {}
        self.log_path = pathlib.Path(log) if log else self.state.parent / (self.state.name + ".log")
        self.process = None
        self.port = None

    def start(self, timeout=60):
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--state", str(self.state), "--backbone", BACKBONE]
        if self.resolution:
            command += ["--resolution", str(self.resolution)]
        if self.learner and "--learner" not in self.flags:
            command += ["--learner", self.learner]
        command += self.flags
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CLSERVER_")}
        environment.update(self.environment)
        log = open(self.log_path, "ab")
        if self.limit:
            command = ["prlimit", "--nofile=%d:%d" % self.limit, *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, log, lines), daemon=True).start()
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise AssertionError(f"no port within {timeout} s\n{self.log()}") from None
            if line is None:
                self.process.wait()
                raise AssertionError(f"the server ended with {self.process.returncode}\n{self.log()}")
            if match := re.search(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)", line):
                if int(match[1]):
                    self.port = int(match[1])
                    break
        while self.get("/readyz").status != 200:
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"not ready within {timeout} s\n{self.log()}")
            time.sleep(0.01)
        return self

    @staticmethod
    def _read(stream, log, lines):
        for raw in stream:
            try:
                log.write(raw)
                log.flush()
            except ValueError:
                pass
            lines.put(raw.decode("utf-8", "replace"))
        lines.put(None)

    def log(self, last=40):
        try:
            return "\n".join(self.log_path.read_text("utf-8", "replace").splitlines()[-last:])
        except OSError:
            return "(no log)"

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def terminate(self, timeout=40):
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still there {timeout} s after SIGTERM\n{self.log()}") from None

    def wait_up(self, path, seconds, told=None):
        """Until GET path is answered with 200; connections may be refused meanwhile. A failure tells `told()`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.get(path).status == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"no 200 for {path} within {seconds} s\n{(told or self.log)()}")
            time.sleep(0.05)

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()
        if self.owned:
            shutil.rmtree(self.state, ignore_errors=True)
            self.log_path.unlink(missing_ok=True)

    # Requests

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, method, target, body=None, headers=None, timeout=120):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            try:
                connection.request(method, target, body, headers or {})
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the whole body was sent: the answer is there to read
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, target, **headers):
        return self.request("GET", target, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def delete(self, target):
        return self.request("DELETE", target)

    def send_json(self, method, target, value, headers=None):
        return self.request(method, target, json.dumps(value), {"Content-Type": "application/json", **(headers or {})})

    def teach(self, examples, name=None, form="tar", held_out=None, headers=None, **query):
        """POST /tasks. `examples`: [(label, bytes)] or [(label, group, bytes)]."""
        body, kind = encode(examples, form, held_out)
        query = {k: v for k, v in {"name": name, **query}.items() if v is not None}
        target = "/tasks" + ("?" + urllib.parse.urlencode(query) if query else "")
        return self.request("POST", target, body, {"Content-Type": kind, **(headers or {})})

    def taught(self, examples, timeout=300, **options):
        """Teaches and waits until the task is ready; returns it."""
        answer = self.teach(examples, **options)
        assert answer.status == 202, answer
        return self.wait_ready(answer.json()["id"], timeout)

    def wait_ready(self, task, timeout=300, until=lambda task: task["state"] == "ready"):
        deadline = time.monotonic() + timeout
        while True:
            value = self.get(f"/tasks/{task}").json()
            if until(value):
                return value
            if value["state"] in ("failed", "cancelled"):
                raise AssertionError(f"task {task} is {value['state']}: {value.get('error')}\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"task {task} is still {value['state']} after {timeout} s\n{self.log()}")
            time.sleep(0.02)

    def predict(self, image, kind="application/octet-stream", **query):
        target = "/predict" + ("?" + urllib.parse.urlencode(query) if query else "")
        return self.request("POST", target, image, {"Content-Type": kind})


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise AssertionError(f"not JSON: {self}") from None

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:600]!r}"


# Bodies


def encode(examples, form, held_out=None):
    """(body, content type) of labelled images in one of the four forms."""
    rows = [(row[0], None, row[1]) if len(row) == 2 else row for row in examples]
    if form == "json":
        value = {"examples": [_json_example(*row) for row in rows]}
        if held_out is not None:
            value["held_out"] = [_json_example(row[0], None, row[-1]) for row in held_out]
        return json.dumps(value), "application/json"
    if form == "multipart":
        return multipart([(label, f"{index}{suffix(data)}", data) for index, (label, _, data) in enumerate(rows)])
    names = [
        "/".join(filter(None, [label, group, f"{index:05}{suffix(data)}"]))
        for index, (label, group, data) in enumerate(rows)
    ]
    files = [(name, row[2]) for name, row in zip(names, rows)]
    return (zip_of(files), "application/zip") if form == "zip" else (tar_of(files), "application/x-tar")


def _json_example(label, group, data):
    example = {"label": label, "data": base64.b64encode(data).decode()}
    return {**example, "group": group} if group else example


def multipart(parts):
    boundary = "boundary-7f3a9c51d2"
    out = io.BytesIO()
    for name, filename, data in parts:
        out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'.encode())
        out.write(b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n")
    out.write(f"--{boundary}--\r\n".encode())
    return out.getvalue(), f"multipart/form-data; boundary={boundary}"


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def zip_of(files, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


# Images


def suffix(data):
    if data[:3] == b"\xff\xd8\xff":
        return ".jpg"
    return ".webp" if data[8:12] == b"WEBP" else ".png"


def png(width, height, pixels, channels=3):
    """A PNG of 8-bit grey (channels=1) or RGB (3) from row-major bytes."""
    stride = width * channels
    raw = b"".join(b"\0" + pixels[y * stride : (y + 1) * stride] for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(raw, 1)) + _chunk(b"IEND", b"")


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width, height):
    """A valid 1-bit PNG of any size in a few kilobytes."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    row = b"\0" * (1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


COLOURS = {
    "red": (200, 30, 40),
    "green": (40, 170, 60),
    "blue": (40, 60, 200),
    "yellow": (220, 210, 50),
    "violet": (130, 40, 160),
    "cyan": (50, 200, 200),
    "grey": (128, 128, 128),
    "orange": (240, 140, 30),
}


def patch(colour, random, size=48):
    """A small picture in one colour: six by six blocks of random lightness and some noise, so that no two are alike."""
    base = COLOURS[colour] if isinstance(colour, str) else colour
    lightness = [[random.uniform(0.45, 1.25) for _ in range(6)] for _ in range(6)]
    pixels = bytearray()
    for y in range(size):
        for x in range(size):
            factor = lightness[y * 6 // size][x * 6 // size]
            noise = random.randrange(-6, 7)
            pixels += bytes(max(0, min(255, int(channel * factor) + noise)) for channel in base)
    return png(size, size, bytes(pixels))


def patches(colour, count, random, label=None):
    return [(label or colour, patch(colour, random)) for _ in range(count)]


def stamps(folder, label=None):
    """[(label, bytes)] of the photographs of one folder of Debian's tuxpaint-stamps-default, in order of name."""
    files = sorted(p for p in (STAMPS / folder).glob("*.png") if "mirror" not in p.name)
    if not files:
        raise unittest.SkipTest(f"{STAMPS / folder} is not there: apt-get install tuxpaint-stamps-default")
    return [(label or pathlib.Path(folder).name, p.read_bytes()) for p in files]


# Assertions


class Case(unittest.TestCase):
    def assertProblem(self, answer, status, kind=None):
        """A problem of RFC 9457; returns its members."""
        statuses = status if isinstance(status, tuple) else (status,)
        self.assertIn(answer.status, statuses, answer)
        self.assertEqual(answer.headers.get_content_type(), "application/problem+json", answer)
        problem = answer.json()
        self.assertEqual(problem["status"], answer.status, problem)
        for member in ("type", "title"):
            self.assertIsInstance(problem[member], str)
            self.assertTrue(problem[member])
        if kind:
            self.assertIn(kind, problem["type"], problem)
        return problem

    def assertStatus(self, answer, status):
        statuses = status if isinstance(status, tuple) else (status,)
        self.assertIn(answer.status, statuses, answer)
        return answer


class SharedServer(Case):
    """One server for all tests of a class: `self.server`, made with `settings`."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(**cls.settings).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()


def raw_exchange(port, data, timeout=10, shut=False):
    """Sends bytes as they are; everything the server answers until it closes or `timeout` passes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        received = b""
        try:
            while block := connection.recv(65536):
                received += block
        except OSError:
            pass
        return received


def status_of(raw):
    match = re.match(rb"HTTP/1\.1 (\d{3})", raw)
    return int(match[1]) if match else None


def have_privilege():
    return os.geteuid() == 0


def percentile(values, share):
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))] if ordered else float("nan")


def progress(text):
    print(text, file=sys.stderr, flush=True)
