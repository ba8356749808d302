#!/usr/bin/env python3
"""kill -9 at random moments of training: nothing acknowledged is lost, and the same answers come out as without kills.

Teaches the same lessons twice with prompts or experts, once undisturbed and once with --kills kills, each as soon as
the task trains again and up to three seconds later. Then compares what was measured for every candidate and what is
predicted, confidences included.

    pop_crash.py --kills 50 [--learner pop] [--seed 1] [--steps 300] [--json]
"""

import argparse
import json
import random
import time

from datasets import FASHION_NAMES, fashion_mnist
from harness import Server, progress


def run(kills, seed, steps, learner="pop", classes=5, each=20):
    images = fashion_mnist("train", each + 8)
    lessons = [(name, image) for name in FASHION_NAMES[:classes] for image in images[name][:each]]
    asked = [image for name in FASHION_NAMES[:classes] for image in images[name][each : each + 8]]
    flags = ("--holdout", "0", "--prompt-judges", "8", "--prompt-episode", "48", "--checkpoint-seconds", "0.2")
    flags += ("--prompt-steps", str(steps))
    draw = random.Random(seed)
    happened = 0
    with Server(*flags, learner=learner) as server:
        task = server.teach(lessons).json()["id"]
        server.wait_ready(task, until=lambda t: t["serving"])
        while happened < kills:
            state = server.wait_ready(task, until=lambda t: t["state"] in ("training", "ready"))["state"]
            if state == "ready":
                break
            time.sleep(draw.uniform(0.05, 3))
            server.kill()
            server.start()
            happened += 1
            # What was acknowledged is there, and answers.
            found = server.get(f"/tasks/{task}").json()
            assert found["serving"] and sum(c["examples"] for c in found["classes"]) == len(lessons), found
            assert server.predict(asked[0]).status == 200
            if happened % 10 == 0:
                progress(f"{happened} kills, {found['progress']}")
        ended = server.wait_ready(task, timeout=1200)
        refinement = ended["refinement"]
        assert refinement, f"given up: {ended['error']}"
        measured = [(c["training"], c["sources"], c["correct"], c["served"]) for c in refinement["candidates"]]
        return happened, measured, [server.predict(image).json()["top"] for image in asked]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--learner", choices=["pop", "dne"], default="pop")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    _, measured, answers = run(0, options.seed, options.steps, options.learner)
    kills, again, same = run(options.kills, options.seed, options.steps, options.learner)
    seconds = time.monotonic() - started
    equal = (measured, answers) == (again, same)
    print(
        f"{kills} kills while training: {len(again)} candidates measured "
        f"{'alike' if measured == again else f'differently: {measured} and {again}'}, {len(answers)} predictions "
        f"{'equal' if answers == same else 'differ'}, {seconds:.0f} s"
    )
    if options.json:
        summary = {"name": "pop-crash", "learner": options.learner, "kills": kills, "equal": equal}
        print(json.dumps({**summary, "seconds": round(seconds)}))
    assert kills >= options.kills, "training ended before all kills: more --steps"
    assert equal


if __name__ == "__main__":
    main()
