"""Experts: the same life as prompts, beside them, and served with them."""

import hashlib
import sqlite3
import unittest

from datasets import FASHION_NAMES, tiny_imagenet
from harness import Server
from refining import (
    HELPFUL, QUICK, SLOW, answers_after_kills, answers_the_same_after_a_kill, first_served_after_start,
    goes_on_after_interruptions, lessons, served_lines, trains
)


def reads(server):
    """The sources that the last version to serve reads, as in the log."""
    return served_lines(server)[-1].split("sources=")[1].split(" classes=")[0]


def database(server):
    return next(p for p in server.state.iterdir() if p.read_bytes()[:6] == b"SQLite")


def rewrite_artifacts(server, start, change):
    """Changes the stored artifacts that begin with `start`, with hashes that are right; says how many."""
    connection = sqlite3.connect(database(server))
    with connection:
        rows = connection.execute("SELECT sha256, bytes FROM artifacts WHERE substr(bytes, 1, ?) = ?",
                                  (len(start), start)).fetchall()
        for old, stored in rows:
            changed = change(stored)
            new = hashlib.sha256(changed).digest()
            connection.execute("UPDATE artifacts SET sha256 = ?, bytes = ? WHERE sha256 = ?", (new, changed, old))
            connection.execute("UPDATE version_artifacts SET sha256 = ? WHERE sha256 = ?", (new, old))
    connection.close()
    return len(rows)


def stored_kinds(server):
    """The kinds of artifacts of the version that answers."""
    connection = sqlite3.connect(database(server))
    try:
        rows = connection.execute("SELECT DISTINCT kind FROM version_artifacts JOIN versions ON id = version_id"
                                  " WHERE active = 1").fetchall()
    finally:
        connection.close()
    return {kind for (kind,) in rows}


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
        with Server("--holdout", "0", *QUICK, "--expert-heads", "2", learner="dne") as server:
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

    def test_kills_while_training_change_no_answer(self):
        self.assertEqual(answers_after_kills("dne", 0, steps=20), answers_after_kills("dne", 2, steps=20))

    def test_an_adopted_expert_answers_the_same_after_a_kill_and_goes_with_its_examples(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            task = server.taught(lessons(classes=10, each=40))
            self.assertTrue(task["refinement"]["adopted"], task["refinement"])
            server.wait_ready(task["id"], until=lambda t: "experts" in reads(server))
            newest = server.get("/versions").json()["versions"][0]
            self.assertTrue(newest["active"])
            self.assertIn("experts", newest["sources"])
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
            prompted = server.taught(lessons(classes=5, each=40), learner="pop")
            self.assertTrue(prompted["refinement"]["adopted"], prompted["refinement"])
            task = server.taught(lessons(first=5, classes=5, each=40))
            ways = {candidate["sources"] for candidate in task["refinement"]["candidates"]}
            self.assertIn("experts", ways)
            self.assertTrue([way for way in ways if "experts" in way and ("global" in way or "tasks" in way)], ways)
            self.assertIn("prompts", stored_kinds(server))
            self.assertRegex(reads(server), "global|tasks")
            answers_the_same_after_a_kill(self, server)

    def test_another_number_of_blocks_does_without_the_experts_there_were(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            task = server.taught(lessons(classes=10, each=40))
            server.wait_ready(task["id"], until=lambda t: "experts" in reads(server))
            server.terminate()
            server.flags = [*server.flags, "--expert-blocks", "2"]
            server.start()
            self.assertIn("sources=backbone ", first_served_after_start(server))

    def test_experts_of_an_unknown_format_are_done_without_and_all_their_tasks_trained_anew(self):
        with Server("--holdout", "0", *HELPFUL, learner="dne") as server:
            task = server.taught(lessons(classes=10, each=40))
            # Too few to be trained on, which is said again by every training anew.
            others = tiny_imagenet(2, 1, 1, 1)[:2]
            few = server.taught([(name, image) for name, images, _ in others for image in images])
            server.wait_ready(task["id"], until=lambda t: "experts" in reads(server))
            server.terminate()
            self.assertGreater(rewrite_artifacts(server, b"CLSE", lambda b: b[:4] + bytes([99]) + b[5:]), 0)
            server.start()
            self.assertIn("sources=backbone ", first_served_after_start(server))
            server.wait_ready(task["id"], timeout=120, until=lambda t: t["refinement"] != task["refinement"])
            said = f"experts were not adopted task={few['id']} "
            server.wait_ready(few["id"], until=lambda t: said in server.log(100_000).split("clserver 0")[-1])

    def test_no_expert_is_added_beyond_the_limit_until_one_goes(self):
        with Server("--holdout", "0", *HELPFUL, "--expert-limit", "1", learner="dne") as server:
            first = server.taught(lessons(classes=10, each=40))
            self.assertTrue(first["refinement"]["adopted"], first["refinement"])
            second = server.taught([(f"worn {name}", image) for name, image in lessons(first=5, classes=2)])
            self.assertFalse(second["refinement"]["adopted"])
            self.assertIn("expert_limit, 1", second["refinement"]["reason"])
            self.assertTrue(second["serving"])
            # The expert goes with its task, and the task that is left is trained.
            self.assertEqual(server.delete(f"/tasks/{first['id']}").status, 204)
            again = server.wait_ready(
                second["id"], until=lambda t: t["state"] == "ready" and t["refinement"] != second["refinement"]
            )
            self.assertNotIn("expert_limit", again["refinement"]["reason"] or "")


if __name__ == "__main__":
    unittest.main()
