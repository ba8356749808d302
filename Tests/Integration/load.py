#!/usr/bin/env python3
"""Latencies, memory and the time to go live, measured from outside with one or more closed-loop clients.

    load.py [--resolution 160] [--predictions 10000] [--stored 2500] [--json]

Prints a table; with --json one object as the last line. Goals: resident memory after 1,000 predictions under 400 MB and
flat over 10,000; live in at most 1.5 times the bare embedding time plus 1 s with 2,500 examples stored; while a task
embeds, predict p99 under 2 times its idle p99 and /healthz p99 under 50 ms.

The bare embedding time is --bare-ms an image where given (`benchmarks backbone` prints it); otherwise that of the same
images sent as predictions with every worker busy, which includes decoding them.
"""

import argparse
import http.client
import io
import json
import random
import sys
import threading
import time

from harness import STAMPS, Server, multipart, percentile, progress


def photographs(count, seed=0, side=320):
    """JPEG files made of Debian's photographs on random backgrounds: no two alike."""
    from PIL import Image

    source = random.Random(seed)
    paths = sorted(p for p in STAMPS.rglob("*.png") if "cartoon" not in str(p) and "symbols" not in str(p))
    assert paths, "apt-get install tuxpaint-stamps-default"
    found = []
    for index in range(count):
        stamp = Image.open(paths[index % len(paths)]).convert("RGBA")
        stamp.thumbnail((side, side))
        colour = tuple(source.randrange(256) for _ in range(3))
        canvas = Image.new("RGBA", (side, side * 3 // 4), colour + (255,))
        spread = (canvas.width - stamp.width // 2, canvas.height - stamp.height // 2)
        canvas.alpha_composite(
            stamp, (source.randrange(max(1, spread[0] // 2)), source.randrange(max(1, spread[1] // 2)))
        )
        out = io.BytesIO()
        canvas.convert("RGB").save(out, "JPEG", quality=88)
        found.append((paths[index % len(paths)].parent.name, out.getvalue()))
    return found


class Client:
    """One keep-alive connection."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def predict(self, image):
        started = time.perf_counter()
        self.connection.request("POST", "/predict", image, {"Content-Type": "image/jpeg"})
        response = self.connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        return time.perf_counter() - started

    def health(self):
        started = time.perf_counter()
        self.connection.request("GET", "/healthz")
        response = self.connection.getresponse()
        response.read()
        assert response.status == 200, response.status
        return time.perf_counter() - started


class Sampler(threading.Thread):
    """Asks /healthz every 20 ms until it is stopped."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.client, self.values, self.stopped = Client(server), [], threading.Event()

    def run(self):
        while not self.stopped.wait(0.02):
            self.values.append(self.client.health())


def closed_loop(server, images, count=None, until=lambda: False, least=1):
    """Predict latencies and health latencies of one client that asks again as soon as it has its answer."""
    sampler, client, values = Sampler(server), Client(server), []
    sampler.start()
    while (count is None or len(values) < count) and (len(values) < least or not until()):
        values.append(client.predict(images[len(values) % len(images)]))
    sampler.stopped.set()
    sampler.join()
    return values, sampler.values


def embed_by_predicting(server, images):
    """Seconds that `images` take as predictions when all workers have work: two requests of several at a time."""
    started = time.perf_counter()
    queue = [images[start : start + 16] for start in range(0, len(images), 16)]
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not queue:
                    return
                batch = queue.pop()
            body, kind = multipart([("f", f"{i}.jpg", image) for i, image in enumerate(batch)])
            assert server.request("POST", "/predict", body, {"Content-Type": kind}).status == 200

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def milliseconds(values):
    return {
        "p50_ms": round(percentile(values, 50) * 1000, 2),
        "p99_ms": round(percentile(values, 99) * 1000, 2),
        "n": len(values),
    }


def run(resolution=160, predictions=10000, stored=2500, task=200, idle=400, bare_ms=None, flags=(), log=progress):
    result = {"name": "load", "resolution": resolution}
    pool = photographs(stored + 2 * task, seed=1)
    with Server(*flags, resolution=resolution) as server:
        log(f"storing {stored} examples")
        server.taught(pool[:stored], name="stored", holdout=0, timeout=3000)
        images = [image for _, image in photographs(64, seed=2)]
        for image in images[:20]:
            server.predict(image)

        log("idle latencies")
        values, health = closed_loop(server, images, count=idle)
        result["idle"] = {"predict": milliseconds(values), "healthz": milliseconds(health)}

        log("bare embedding time")
        fresh = pool[stored : stored + task]
        bare = task * bare_ms / 1000 if bare_ms else embed_by_predicting(server, [image for _, image in fresh])

        log("time to go live")
        answer = server.teach(fresh, name="timed", holdout=0, extend="true")
        assert answer.status == 202, answer
        started = time.perf_counter()
        server.wait_ready(answer.json()["id"], until=lambda t: t["serving"], timeout=1200)
        live = time.perf_counter() - started
        server.wait_ready(answer.json()["id"], timeout=1200)
        result["live"] = {
            "examples": task,
            "stored": stored,
            "bare_seconds": round(bare, 2),
            "live_seconds": round(live, 2),
            "goal_seconds": round(1.5 * bare + 1, 2),
        }

        log("latencies while a task embeds")
        answer = server.teach(pool[stored + task :], name="busy", holdout=0, extend="true")
        assert answer.status == 202, answer
        done = threading.Event()

        def watch():
            server.wait_ready(answer.json()["id"], until=lambda t: t["serving"], timeout=1200)
            done.set()

        threading.Thread(target=watch, daemon=True).start()
        values, health = closed_loop(server, images, until=done.is_set, least=30)
        result["embedding"] = {"predict": milliseconds(values), "healthz": milliseconds(health)}
        result["p99_ratio"] = round(result["embedding"]["predict"]["p99_ms"] / result["idle"]["predict"]["p99_ms"], 2)
        server.wait_ready(answer.json()["id"], timeout=1200)

    log("memory")
    with Server(*flags, resolution=resolution) as server:
        server.taught(pool[:100], name="some", holdout=0)
        client, memory, count = Client(server), {}, 0
        for goal in sorted({min(1000, predictions), predictions}):
            while count < goal:
                client.predict(images[count % len(images)])
                count += 1
            memory[str(goal)] = round(server.resident_bytes() / 1e6, 1)
        result["resident_mb_after"] = memory
    return result


def run_training(resolution=160, stored=2000, seconds=60, idle=400, learner="pop", flags=(), log=progress):
    """Latencies and memory while prompts or experts are trained on a task, `stored` training images in all."""
    result = {"name": "load-training", "learner": learner, "resolution": resolution, "stored": stored}
    pool = photographs(stored, seed=1)
    steps = ("--prompt-steps", "100000")
    with Server(*steps, *flags, resolution=resolution, learner="closed-form") as server:
        log(f"storing {stored} examples")
        server.taught(pool[: stored - 200], name="stored", holdout=0, timeout=3000)
        images = [image for _, image in photographs(64, seed=2)]
        for image in images[:20]:
            server.predict(image)
        log("idle latencies")
        values, health = closed_loop(server, images, count=idle)
        result["idle"] = {"predict": milliseconds(values), "healthz": milliseconds(health)}
        answer = server.teach(pool[stored - 200 :], name="trained", holdout=0, extend="true", learner=learner)
        assert answer.status == 202, answer

        def trains(task):
            return task["state"] == "training" and (task["progress"] or {}).get("phase") == "training"

        server.wait_ready(answer.json()["id"], until=trains, timeout=1200)
        log("latencies while it trains")
        end = time.monotonic() + seconds
        before = server.get(f"/tasks/{answer.json()['id']}").json()["progress"]["done"]
        values, health = closed_loop(server, images, until=lambda: time.monotonic() > end)
        after = server.get(f"/tasks/{answer.json()['id']}").json()["progress"]["done"]
        result["training"] = {"predict": milliseconds(values), "healthz": milliseconds(health)}
        result["p99_ratio"] = round(result["training"]["predict"]["p99_ms"] / result["idle"]["predict"]["p99_ms"], 2)
        result["steps"] = after - before
        result["resident_mb"] = round(server.resident_bytes() / 1e6, 1)
        server.request("POST", f"/tasks/{answer.json()['id']}/cancel")
    return result


def table(result):
    rows = [("", "p50", "p99", "n")]
    for state in ("idle", "embedding"):
        for what in ("predict", "healthz"):
            value = result[state][what]
            rows.append((f"{what}, {state}", f"{value['p50_ms']} ms", f"{value['p99_ms']} ms", str(value["n"])))
    lines = [f"{row[0]:22}{row[1]:>12}{row[2]:>12}{row[3]:>8}" for row in rows]
    live = result["live"]
    lines.append(f"predict p99 while embedding / idle: {result['p99_ratio']} (goal: under 2)")
    lines.append(
        f"live {live['live_seconds']} s after POST returned; {live['examples']} examples, bare "
        f"{live['bare_seconds']} s, {live['stored']} stored (goal: at most {live['goal_seconds']} s)"
    )
    lines += [f"resident after {count} predictions: {size} MB" for count, size in result["resident_mb_after"].items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=160)
    parser.add_argument("--predictions", type=int, default=10000)
    parser.add_argument("--stored", type=int, default=2500)
    parser.add_argument("--task", type=int, default=200)
    parser.add_argument("--idle", type=int, default=400)
    parser.add_argument("--bare-ms", type=float)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--training", action="store_true", help="latencies and memory while a task is trained")
    parser.add_argument("--learner", choices=["pop", "dne"], default="pop", help="what --training trains")
    options = parser.parse_args()
    if options.training:
        stored = min(options.stored, 2000)
        result = run_training(options.resolution, stored, idle=options.idle, learner=options.learner)
        print(json.dumps(result))
        sys.exit(0)
    result = run(options.resolution, options.predictions, options.stored, options.task, options.idle, options.bare_ms)
    print(table(result))
    if options.json:
        print(json.dumps(result))
    sys.exit(0)


if __name__ == "__main__":
    main()
