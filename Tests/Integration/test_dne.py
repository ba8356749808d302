"""Experts: the same life as prompts, beside them, and served with them."""

import time
import unittest

from datasets import FASHION_NAMES
from harness import Server
from refining import (
    HELPFUL, QUICK, SLOW, answers_the_same_after_a_kill, goes_on_after_interruptions, lessons, served_lines, trains
)


def reads(server):
    """The sources that the last version to serve reads, as in the log."""
    return served_lines(server)[-1].split("sources=")[1].split(" classes=")[0]


class Experts(unittest.TestCase):
    def test_it_answers_before_training_and_training_can_be_cancelled(self):
        with Server("--holdout", "0", *SLOW, learner="dne") as server:
            task = server.teach(lessons()).json()
            self.assertEqual(task["learner"], "dne")
            server.wait_ready(task["id"], until=lambda t: t["serving"])
            self.assertEqual(server.predict(lessons()[0][1]).status, 200)
            training = server.wait_ready(task["id"], until=lambda t: trains(t) and t["progress"]["done"] > 2)
            self.assertGreater(training["progress"]["loss"], 0)
            self.assertGreater(training["progress"]["images_per_second"], 0)
            cancelled = server.request("POST", f"/tasks/{task['id']}/cancel")
            self.assertEqual(cancelled.status, 202, cancelled)
            self.assertEqual(cancelled.json()["state"], "ready")
            self.assertEqual(server.predict(lessons()[0][1]).status, 200)

    def test_what_was_tried_is_in_the_task(self):
        with Server("--holdout", "0", *QUICK, learner="dne") as server:
            refinement = server.taught(lessons())["refinement"]
            self.assertEqual(refinement["measured"], "cross-fit")
            self.assertEqual(refinement["steps"], 12)
            ways = {candidate["sources"] for candidate in refinement["candidates"]}
            self.assertIn("experts", ways)
            self.assertIn("backbone 0.5 + experts 0.5", ways)
            self.assertFalse([way for way in ways if "global" in way or "tasks" in way])

    def test_it_goes_on_where_a_kill_or_a_stop_interrupted_it(self):
        with Server("--holdout", "0", *SLOW, learner="dne") as server:
            goes_on_after_interruptions(self, server)

    def test_an_adopted_expert_answers_the_same_after_a_kill_and_goes_with_its_examples(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            task = server.taught(lessons(classes=10, each=40))
            self.assertTrue(task["refinement"]["adopted"], task["refinement"])
            server.wait_ready(task["id"], until=lambda t: "experts" in reads(server))
            answers_the_same_after_a_kill(self, server)

            count = len(served_lines(server))
            self.assertEqual(server.delete(f"/classes/{task['classes'][0]['id']}").status, 204)
            server.wait_ready(task["id"], until=lambda t: len(served_lines(server)) > count)
            self.assertIn("sources=backbone ", served_lines(server)[count])
            first = task["refinement"]
            again = server.wait_ready(
                task["id"], timeout=120, until=lambda t: t["state"] == "ready" and t["refinement"] != first
            )
            self.assertLess(again["refinement"]["candidates"][0]["n"], first["candidates"][0]["n"])
            labels = {p["label"] for p in server.predict(lessons()[0][1], top_k=10).json()["top"]}
            self.assertEqual(labels, set(FASHION_NAMES[1:]))

    def test_prompts_and_experts_live_in_one_daemon(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            server.taught(lessons(classes=5, each=40), learner="pop")
            task = server.taught(lessons(first=5, classes=5, each=40))
            ways = {candidate["sources"] for candidate in task["refinement"]["candidates"]}
            self.assertIn("experts", ways)
            answers_the_same_after_a_kill(self, server)

    def test_another_number_of_blocks_does_without_the_experts_there_were(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            task = server.taught(lessons(classes=10, each=40))
            server.wait_ready(task["id"], until=lambda t: "experts" in reads(server))
            server.terminate()
            server.flags = [*server.flags, "--expert-blocks", "2"]
            server.start()
            deadline = time.monotonic() + 60
            while server.predict(lessons()[0][1]).status != 200:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            lines = server.log(400).split("clserver 0")[-1].splitlines()
            first = next(line for line in lines if "a version serves" in line)
            self.assertIn("sources=backbone ", first)


if __name__ == "__main__":
    unittest.main()
