"""What tests of training in the background share: little training on real pictures, and how far it is."""

import time

from datasets import FASHION_NAMES, fashion_mnist
from harness import Server

# Little training, so that a test takes seconds: these tests are about behaviour.
QUICK = ("--prompt-judges", "8", "--prompt-steps", "12", "--prompt-episode", "24", "--checkpoint-seconds", "0.2")
SLOW = ("--prompt-judges", "8", "--prompt-steps", "4000", "--prompt-episode", "24", "--checkpoint-seconds", "0.2")
# Enough for prompts or an expert to help with clothes.
HELPFUL = ("--prompt-judges", "8", "--prompt-steps", "60", "--prompt-episode", "48")


def lessons(first=0, classes=3, each=20):
    """[(label, image)] of real photographs of clothes, which the backbone does not know well at this size."""
    images = fashion_mnist("train", 40)
    return [(name, image) for name in FASHION_NAMES[first : first + classes] for image in images[name][:each]]


def served_lines(server):
    """What the log says of every version that served."""
    return [line for line in server.log(100_000).splitlines() if "a version serves" in line]


def first_served_after_start(server):
    """What the log says of the first version that served after the last start: prompts or experts may be trained anew
    after it."""
    deadline = time.monotonic() + 60
    while server.predict(lessons()[0][1]).status != 200:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
    lines = server.log(400).split("clserver 0")[-1].splitlines()
    return next(line for line in lines if "a version serves" in line)


def trains(task):
    return task["state"] == "training" and (task["progress"] or {}).get("phase") == "training"


def goes_on_after_interruptions(test, server):
    """Training that a kill and then a stop interrupt goes on from its last checkpoint, while the task serves."""
    task = server.teach(lessons()).json()["id"]
    server.wait_ready(task, until=lambda t: trains(t) and t["progress"]["done"] > 30)
    for end in (server.kill, server.terminate):
        before = server.get(f"/tasks/{task}").json()["progress"]["done"]
        time.sleep(0.5)
        end()
        server.start()
        resumed = server.wait_ready(task, until=trains)
        test.assertGreaterEqual(resumed["progress"]["done"], before - 1)
        test.assertTrue(resumed["serving"])


def answers_the_same_after_a_kill(test, server):
    images = [image for _, image in lessons(classes=10, each=2)]
    before = [server.predict(image).json()["top"] for image in images]
    server.kill()
    server.start()
    test.assertEqual(before, [server.predict(image).json()["top"] for image in images])


def answers_after_kills(learner, kills, steps=60):
    """What is measured and predicted after training that so many kills interrupted."""
    flags = ("--holdout", "0", "--prompt-steps", str(steps), *QUICK[:2], *QUICK[4:])
    with Server(*flags, learner=learner) as server:
        task = server.teach(lessons()).json()["id"]
        for _ in range(kills):
            server.wait_ready(task, until=lambda t: t["state"] in ("training", "ready"))
            time.sleep(0.7)
            server.kill()
            server.start()
        refinement = server.wait_ready(task)["refinement"]
        if refinement["adopted"]:
            # The task says so a moment before the version answers.
            server.wait_ready(task, until=lambda _: "sources=backbone " not in served_lines(server)[-1])
        tops = [server.predict(image).json()["top"] for _, image in lessons()[-8:]]
        return [(c["sources"], c["correct"]) for c in refinement["candidates"]], tops
