"""Starts the server, teaches it two classes, then answers each line `ask` with the seconds one POST /predict took.

predict_client.py SERVER BACKBONE RESOLUTION JPEG...: the JPEG files take turns; one keep-alive connection.
"""

import http.client
import io
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

server, backbone, resolution, *files = sys.argv[1:]
images = [pathlib.Path(name).read_bytes() for name in files]
with tempfile.TemporaryDirectory() as state:
    process = subprocess.Popen(
        [server, "serve", "--listen", "127.0.0.1:0", "--state", state, "--backbone", backbone]
        + ["--resolution", resolution, "--holdout", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = int(re.search(r":(\d+)$", process.stdout.readline().strip())[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

        def ask(method, target, body=None, kind=None):
            connection.request(method, target, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 300, content
            return json.loads(content)

        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for index, image in enumerate(images):
                entry = tarfile.TarInfo(f"class{index % 2}/{index}.jpg")
                entry.size = len(image)
                tar.addfile(entry, io.BytesIO(image))
        ask("POST", "/tasks?name=benchmark", archive.getvalue(), "application/x-tar")
        while not ask("GET", "/tasks/1")["serving"]:
            time.sleep(0.05)
        print("ready", flush=True)
        turns = itertools.cycle(images)
        for _ in sys.stdin:
            image = next(turns)
            started = time.perf_counter()
            ask("POST", "/predict", image, "image/jpeg")
            print(time.perf_counter() - started, flush=True)
    finally:
        process.kill()
        process.wait()
