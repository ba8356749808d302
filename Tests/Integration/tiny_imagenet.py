#!/usr/bin/env python3
"""Teaches tiny-imagenet-50 through the API as tasks of five classes, asks about the test images, prints the accuracy.

The order of classes is that of the sorted ids shuffled by --order-seed; the images to learn are drawn from train/ by
--seed. After the last task every test image is asked with POST /predict (several a request). With --held-out the test
images are named as held-out items in the request as well, and GET /accuracy is printed too.

    tiny_imagenet.py --shots 10 --resolution 224 [--tasks 10] [--test 50] [--seed 0] [--json] [--goal 0.78]
"""

import argparse
import json
import sys
import time

from datasets import tiny_imagenet
from harness import Server, multipart, progress


def ask(server, images, batch=32):
    labels = []
    for start in range(0, len(images), batch):
        body, kind = multipart([("file", f"{i}.jpg", image) for i, image in enumerate(images[start : start + batch])])
        answer = server.request("POST", "/predict?top_k=1", body, {"Content-Type": kind}, timeout=600)
        assert answer.status == 200, answer
        value = answer.json()
        labels += [p.get("label") for p in value.get("predictions", [value])]
    return labels


def run(shots, resolution, tasks=10, test=50, seed=0, order_seed=1, held_out=False, flags=(), log=progress):
    classes = tiny_imagenet(shots, test, order_seed, seed)[: tasks * 5]
    with Server("--holdout", "0", *flags, resolution=resolution) as server:
        live = []
        for number in range(tasks):
            group = classes[number * 5 : number * 5 + 5]
            learn = [(name, image) for name, images, _ in group for image in images]
            named = [(name, image) for name, _, images in group for image in images] if held_out else None
            answer = server.teach(learn, name=f"task {number + 1}", form="json" if named else "tar", held_out=named)
            started = time.monotonic()
            assert answer.status == 202, answer
            task = server.wait_ready(answer.json()["id"], until=lambda t: t["serving"], timeout=1200)
            live.append(time.monotonic() - started)
            server.wait_ready(task["id"], timeout=1200)
            log(f"task {number + 1} of {tasks}: live {live[-1]:.1f} s after POST returned")
        started = time.monotonic()
        right, total = [], []
        for number in range(tasks):
            group = classes[number * 5 : number * 5 + 5]
            images = [(name, image) for name, _, tested in group for image in tested]
            answers = ask(server, [image for _, image in images])
            right.append(sum(label == name for (name, _), label in zip(images, answers)))
            total.append(len(images))
        asked = time.monotonic() - started
        reported = server.get("/accuracy").json()
        resident = server.resident_bytes()
    average = sum(r / t for r, t in zip(right, total)) / tasks
    log(f"asked {sum(total)} images in {asked:.1f} s")
    return {
        "shots": shots,
        "resolution": resolution,
        "tasks": tasks,
        "seed": seed,
        "order_seed": order_seed,
        "average_accuracy": round(average, 4),
        "per_task": [round(r / t, 3) for r, t in zip(right, total)],
        "test_images": sum(total),
        "seconds_live": [round(s, 2) for s in live],
        "reported_average": reported["average"],
        "resident_mib": round(resident / 2**20),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--test", type=int, default=50, help="test images a class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--order-seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--goal", type=float)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(
        options.shots,
        options.resolution,
        options.tasks,
        options.test,
        options.seed,
        options.order_seed,
        options.held_out,
    )
    if options.json:
        print(json.dumps({"name": "tiny-imagenet", **result}))
    else:
        print(
            f"{result['tasks']} tasks of 5 classes, {result['shots']} images a class, {result['resolution']} px: "
            f"average accuracy {result['average_accuracy']:.3f} on {result['test_images']} images "
            f"(per task {result['per_task']})"
        )
    if options.goal and result["average_accuracy"] < options.goal:
        sys.exit(f"below the goal of {options.goal}")


if __name__ == "__main__":
    main()
