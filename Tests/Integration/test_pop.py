"""Prompts: live at once, trained in the background, adopted when they help, resumed, cancelled, forgotten."""

import time
import unittest

from datasets import FASHION_NAMES
from harness import Server
from refining import (
    HELPFUL, QUICK, SLOW, answers_after_kills, answers_the_same_after_a_kill, first_served_after_start,
    goes_on_after_interruptions, lessons, served_lines, trains
)


class Prompts(unittest.TestCase):
    def test_it_answers_before_training_and_tells_how_training_went(self):
        with Server("--holdout", "0", *SLOW, learner="pop") as server:
            answer = server.teach(lessons())
            self.assertEqual(answer.status, 202, answer)
            task = answer.json()
            self.assertEqual(task["learner"], "pop")
            live = server.wait_ready(task["id"], until=lambda t: t["serving"])
            self.assertIsNone(live["refinement"])
            self.assertEqual(server.predict(lessons()[0][1]).status, 200)
            training = server.wait_ready(task["id"], until=lambda t: trains(t) and t["progress"]["done"] > 2)
            self.assertGreater(training["progress"]["loss"], 0)
            self.assertGreater(training["progress"]["images_per_second"], 0)
            self.assertGreater(training["progress"]["seconds_left"], 0)

            cancelled = server.request("POST", f"/tasks/{task['id']}/cancel")
            self.assertEqual(cancelled.status, 202, cancelled)
            self.assertEqual(cancelled.json()["state"], "ready")
            self.assertTrue(cancelled.json()["serving"])
            self.assertEqual(server.predict(lessons()[0][1]).status, 200)

    def test_what_was_tried_is_in_the_task(self):
        with Server("--holdout", "0", *QUICK, learner="pop") as server:
            task = server.taught(lessons())
            refinement = task["refinement"]
            self.assertEqual(refinement["measured"], "cross-fit")
            self.assertEqual(refinement["steps"], 12)
            self.assertGreater(refinement["first_loss"], 0)
            names = [(candidate["training"], candidate["sources"]) for candidate in refinement["candidates"]]
            self.assertEqual(names[0], (None, "backbone"))
            self.assertEqual(len(names), len(set(names)))
            for candidate in refinement["candidates"]:
                self.assertEqual(candidate["n"], refinement["candidates"][0]["n"])
                self.assertAlmostEqual(candidate["accuracy"], candidate["correct"] / candidate["n"])
            served = [candidate for candidate in refinement["candidates"] if candidate["served"]]
            self.assertEqual(len(served), 1)
            self.assertEqual(served[0]["training"] is not None, refinement["adopted"])
            self.assertEqual(refinement["reason"] is None, refinement["adopted"])
            events = server.get(f"/tasks/{task['id']}/events").body.decode()
            kinds = [line.split(": ")[1] for line in events.splitlines() if line.startswith("event: ")]
            self.assertEqual([kind for kind in kinds if kind != "progress"],
                             ["accepted", "embedding", "live", "training", "ready"])

    def test_a_new_task_does_not_wait_for_training(self):
        with Server("--holdout", "0", *SLOW, learner="pop") as server:
            first = server.teach(lessons()).json()["id"]
            server.wait_ready(first, until=trains)
            second = server.teach(lessons(first=3), learner="closed-form").json()["id"]
            started = time.monotonic()
            server.wait_ready(second, until=lambda t: t["serving"])
            self.assertLess(time.monotonic() - started, 30)
            self.assertEqual(server.get(f"/tasks/{first}").json()["state"], "training")

    def test_a_task_taught_while_another_is_adopted_is_not_forgotten(self):
        with Server("--holdout", "0", *QUICK, learner="pop") as server:
            first = server.teach(lessons(classes=4)).json()["id"]
            server.wait_ready(first, until=lambda t: (t["progress"] or {}).get("phase") in ("caching", "choosing"))
            second = server.teach(lessons(first=4), learner="closed-form").json()["id"]
            for task in (first, second):
                self.assertTrue(server.wait_ready(task)["serving"])
            third = server.taught(lessons(first=7))
            tasks = server.get("/tasks").json()["tasks"]
            self.assertEqual([t["serving"] for t in tasks], [True] * 3, tasks)
            self.assertEqual(len(server.predict(lessons()[0][1], top_k=20).json()["top"]), 10)
            self.assertIsNotNone(third["refinement"])

    def test_another_head_keeps_the_prompts_and_another_resolution_does_without(self):
        with Server("--holdout", "0", *QUICK, learner="pop") as server:
            adopted = server.taught(lessons(classes=4))["refinement"]["adopted"]
            for flags, resolution, reads in ((("--crossing", "3000"), server.resolution, adopted), ((), 80, False)):
                server.terminate()
                server.flags, server.resolution = ["--holdout", "0", *QUICK, *flags], resolution
                server.start()
                first = first_served_after_start(server)
                self.assertEqual("sources=backbone " not in first, reads, first)

    def test_it_goes_on_where_a_kill_or_a_stop_interrupted_it(self):
        with Server("--holdout", "0", *SLOW, learner="pop") as server:
            goes_on_after_interruptions(self, server)

    def test_a_removal_restarts_training_without_what_was_removed(self):
        with Server("--holdout", "0", *SLOW, learner="pop") as server:
            task = server.teach(lessons(classes=4)).json()
            before = server.wait_ready(task["id"], until=lambda t: trains(t) and t["progress"]["done"] > 200)
            gone = next(c for c in task["classes"] if c["name"] == FASHION_NAMES[2])
            self.assertEqual(server.delete(f"/classes/{gone['id']}").status, 204)
            less = before["progress"]["done"]
            again = server.wait_ready(
                task["id"], timeout=60, until=lambda t: trains(t) and t["progress"]["done"] < less
            )
            self.assertEqual(len(again["classes"]), 3)
            labels = {p["label"] for p in server.predict(lessons()[0][1], top_k=5).json()["top"]}
            self.assertNotIn(FASHION_NAMES[2], labels)

    def test_too_little_to_train_on_is_said(self):
        with Server("--holdout", "0", *QUICK, learner="pop") as server:
            task = server.taught(lessons(each=1))
            self.assertFalse(task["refinement"]["adopted"])
            self.assertIn("two", task["refinement"]["reason"])
            self.assertIsNone(task["error"])

    def test_a_class_of_a_few_examples_is_not_trained_for(self):
        with Server("--holdout", "0", *QUICK, learner="pop") as server:
            server.taught(lessons())
            task = server.taught(lessons(first=3, classes=1, each=11))
            self.assertFalse(task["refinement"]["adopted"])
            self.assertIn("must have 12 examples", task["refinement"]["reason"])

    def test_what_is_held_out_judges_where_it_is_enough(self):
        with Server("--holdout", "0.5", *QUICK, learner="pop") as server:
            refinement = server.taught(lessons(classes=6, each=40))["refinement"]
            self.assertEqual(refinement["measured"], "held-out")
            self.assertGreaterEqual(refinement["candidates"][0]["n"], 100)
            ways = {candidate["sources"] for candidate in refinement["candidates"]}
            self.assertIn("global, softmax", ways)

    def test_a_removal_after_adoption_takes_the_prompts_that_saw_it(self):
        with Server("--holdout", "0", *HELPFUL, learner="pop") as server:
            task = server.taught(lessons(classes=10, each=40))
            self.assertTrue(task["refinement"]["adopted"], task["refinement"])
            # The task is ready a moment before the version answers.
            server.wait_ready(task["id"], until=lambda t: "sources=backbone " not in served_lines(server)[-1])
            # With the prompts gone the backbone answers alone, and they are trained anew, by what is left.
            before = len(served_lines(server))
            self.assertEqual(server.delete(f"/classes/{task['classes'][0]['id']}").status, 204)
            server.wait_ready(task["id"], until=lambda t: len(served_lines(server)) > before)
            self.assertIn("sources=backbone ", served_lines(server)[before])
            first = task["refinement"]
            again = server.wait_ready(
                task["id"], timeout=120, until=lambda t: t["state"] == "ready" and t["refinement"] != first
            )
            self.assertEqual(again["refinement"]["measured"], "cross-fit")
            self.assertLess(again["refinement"]["candidates"][0]["n"], task["refinement"]["candidates"][0]["n"])
            labels = {p["label"] for p in server.predict(lessons()[0][1], top_k=10).json()["top"]}
            self.assertEqual(len(labels), 9)

    def test_a_task_that_is_not_trained_leaves_what_serves_or_does_without(self):
        """Prompts are read on after a task that they do not know, unless they harm it; also after a restart."""
        with Server("--holdout", "0", *HELPFUL, learner="pop") as server:
            server.taught(lessons(classes=7, each=40))
            server.taught(lessons(first=7, classes=3), learner="closed-form")
            answers_the_same_after_a_kill(self, server)

    def test_the_learner_may_be_chosen_and_a_wrong_one_is_refused(self):
        with Server(*QUICK, learner="pop") as server:
            self.assertIsNone(server.taught(lessons(), learner="closed-form")["refinement"])
            answer = server.teach(lessons(first=3), learner="magic")
            self.assertEqual(answer.status, 422, answer)
            self.assertIn("learner", answer.body.decode())

    def test_kills_while_training_change_no_answer(self):
        self.assertEqual(answers_after_kills("pop", 0), answers_after_kills("pop", 4))


if __name__ == "__main__":
    unittest.main()
