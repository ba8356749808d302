#!/usr/bin/env python3
"""Teaches a dataset task by task through the API, once with each learner, and compares the accuracies.

After every task the first --between test images of each known class are asked, after the last one --test of them.
Average accuracy is the mean over tasks after the last one; average incremental accuracy the mean over all moments of
the mean over the tasks known then; forgetting how far a task fell from its best moment, on average. Classes are
shuffled, and images drawn, by each seed; all learners get the same. Nothing is held out: what is served was chosen
by cross-fitting, and the test images are seen by nobody. Learners joined by + take turns, task by task.

    pop_accuracy.py --data tiny-imagenet --shots 20 --seeds 1,2,3 [--resolution 160] [--json] [-- FLAGS]
    pop_accuracy.py --data omniglot --seeds 1,2,3 --learners closed-form,pop,dne,pop+dne
"""

import argparse
import json
import random
import statistics
import time

from datasets import shared_zip, tiny_imagenet
from harness import Server, progress
from tiny_imagenet import ask


def omniglot(seed, tasks):
    """[(character, images of fifteen drawers, images of the other five)]: characters shuffled by the seed."""
    with shared_zip("omniglot-small1.zip") as archive:
        characters = {}
        for entry in sorted(archive.namelist()):
            if entry.endswith(".png"):
                characters.setdefault(" ".join(entry.split("/")[1:3]), []).append(entry)
        names = sorted(characters)
        random.Random(seed).shuffle(names)
        read = {name: [archive.read(entry) for entry in characters[name]] for name in names[: tasks * 5]}
        return [(name, images[:15], images[15:]) for name, images in read.items()]


def asked_right(server, group, count):
    images = [(name, image) for name, _, tested in group for image in tested[:count]]
    labels = ask(server, [image for _, image in images])
    return sum(label == name for (name, _), label in zip(images, labels)) / len(images)


def run(classes, learner, resolution, between, test, flags):
    groups = [classes[start : start + 5] for start in range(0, len(classes), 5)]
    matrix, refinements, live, whole = [], [], [], []
    turns = learner.split("+")
    with Server("--holdout", "0", *flags, resolution=resolution, learner=turns[0]) as server:
        for number, group in enumerate(groups):
            examples = [(name, image) for name, images, _ in group for image in images]
            answer = server.teach(examples, learner=turns[number % len(turns)])
            assert answer.status == 202, answer
            start = time.monotonic()
            server.wait_ready(answer.json()["id"], until=lambda t: t["serving"], timeout=1200)
            live.append(time.monotonic() - start)
            task = server.wait_ready(answer.json()["id"], timeout=3600)
            whole.append(time.monotonic() - start)
            refinements.append(task["refinement"])
            if task["refinement"]:
                served = [c for c in task["refinement"]["candidates"] if c["served"]]
                progress(f"  task {number + 1}: {whole[-1]:.0f} s, {task['refinement']['reason'] or served}")
            matrix.append([asked_right(server, known, between) for known in groups[: number + 1]])
        last = [asked_right(server, known, test) for known in groups]
        resident = server.resident_bytes()
    earlier = range(len(groups) - 1)
    return {
        "learner": learner,
        "average": statistics.mean(last),
        "incremental": statistics.mean(statistics.mean(row) for row in matrix),
        "forgetting": statistics.mean(max(row[i] for row in matrix[i:-1]) - matrix[-1][i] for i in earlier)
        if len(groups) > 1
        else None,
        "per_task": last,
        "seconds_live": live,
        "seconds_ready": whole,
        "adopted": [r and r["adopted"] for r in refinements],
        "refinements": refinements,
        "resident_mib": round(resident / 2**20),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["tiny-imagenet", "omniglot"], default="tiny-imagenet")
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--learners", default="closed-form,pop")
    parser.add_argument("--resolution", type=int, default=160)
    parser.add_argument("--between", type=int, default=10, help="test images a class after every task but the last")
    parser.add_argument("--test", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="a line a run")
    parser.add_argument("flags", nargs="*", help="flags of the server, after --")
    arguments = parser.parse_args()
    differences = []
    for seed in map(int, arguments.seeds.split(",")):
        if arguments.data == "omniglot":
            classes = omniglot(seed, arguments.tasks)
        else:
            classes = tiny_imagenet(arguments.shots, arguments.test, seed, seed)[: arguments.tasks * 5]
        averages = []
        for learner in arguments.learners.split(","):
            result = run(classes, learner, arguments.resolution, arguments.between, arguments.test, arguments.flags)
            averages.append(result["average"])
            result.update(data=arguments.data, shots=arguments.shots, seed=seed, resolution=arguments.resolution)
            if arguments.json:
                print(json.dumps(result), flush=True)
            print(
                f"{arguments.data} {arguments.shots} shots, seed {seed}, {learner}: average {result['average']:.4f}, "
                f"incremental {result['incremental']:.4f}, forgetting {result['forgetting']:.4f}, "
                f"live {statistics.mean(result['seconds_live']):.1f} s, "
                f"ready {statistics.mean(result['seconds_ready']):.1f} s",
                flush=True,
            )
        differences.append(averages[-1] - averages[0])
    each = ", ".join(f"{d:+.4f}" for d in differences)
    print(f"difference of averages: {statistics.mean(differences):+.4f} ({each})")


if __name__ == "__main__":
    main()
