"""What can be done with tasks, classes and examples afterwards; unlearning; restart."""

import random
import time

from harness import Case, Server, encode, patch, patches


def scores(server, images):
    """For each image {label: confidence} over all classes."""
    return [{e["label"]: e["confidence"] for e in server.predict(i, top_k=10000).json()["top"]} for i in images]


class Lifecycle(Case):
    def setUp(self):
        self.random = random.Random(5)
        self.server = Server().start()
        self.addCleanup(self.server.__exit__)

    def eventually(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, "did not happen in time")
            time.sleep(0.05)

    def answers_as(self, before, probes):
        """Waits until the scores are those of `before`: what was removed is masked at once, the exact model follows."""

        def restored():
            now = scores(self.server, probes)
            return all(a.keys() == b.keys() and all(abs(a[k] - b[k]) < 1e-3 for k in a) for a, b in zip(before, now))

        self.eventually(restored)

    def close(self, a, b, tolerance=1e-3):
        for one, two in zip(a, b):
            self.assertEqual(set(one), set(two))
            for label in one:
                self.assertAlmostEqual(one[label], two[label], delta=tolerance)

    def teach_three(self):
        self.server.taught(patches("red", 6, self.random) + patches("blue", 6, self.random), name="one")
        return self.server.taught(patches("green", 6, self.random) + patches("grey", 6, self.random), name="two")

    def labels(self):
        return {c["name"] for c in self.server.get("/classes").json()["classes"]}

    def test_a_deleted_task_leaves_the_model_that_never_saw_it(self):
        probes = [patch(c, self.random) for c in ("red", "blue", "violet")]
        self.server.taught(patches("red", 6, self.random) + patches("blue", 6, self.random), name="one", holdout=0)
        before = scores(self.server, probes)
        two = self.server.taught(patches("green", 6, self.random), name="two", holdout=0)
        self.assertIn("green", scores(self.server, probes)[0])
        self.assertStatus(self.server.delete(f"/tasks/{two['id']}"), (200, 202, 204))
        self.assertNotIn("green", scores(self.server, probes)[0])
        self.answers_as(before, probes)
        self.assertProblem(self.server.get(f"/tasks/{two['id']}"), 404)
        self.assertEqual(self.labels(), {"red", "blue"})

    def test_a_deleted_class_no_longer_answers_and_the_others_do(self):
        self.teach_three()
        green = next(c for c in self.server.get("/classes").json()["classes"] if c["name"] == "green")
        self.assertStatus(self.server.delete(f"/classes/{green['id']}"), (200, 202, 204))
        probe = patch("green", self.random)
        self.eventually(lambda: "green" not in scores(self.server, [probe])[0])
        self.assertEqual(self.labels(), {"red", "blue", "grey"})
        self.assertProblem(self.server.delete(f"/classes/{green['id']}"), 404)

    def test_a_deleted_example_leaves_the_model_that_never_saw_it(self):
        probes = [patch(c, self.random) for c in ("red", "blue", "violet")]
        examples = patches("red", 5, self.random) + patches("blue", 5, self.random)
        task = self.server.taught(examples, name="one", holdout=0)
        before = scores(self.server, probes)
        answer = self.server.teach([("red", patch("violet", self.random))], name="odd", holdout=0, extend="true")
        self.assertStatus(answer, 202)
        odd = self.server.wait_ready(answer.json()["id"])
        listed = self.server.get(f"/tasks/{odd['id']}/examples").json()["examples"]
        self.assertEqual(len(listed), 1)
        self.assertEqual(listed[0]["label"], "red")
        changed = scores(self.server, probes)
        self.assertNotAlmostEqual(before[2]["red"], changed[2]["red"], delta=1e-3)
        self.assertStatus(self.server.delete(f"/examples/{listed[0]['id']}"), (200, 202, 204))
        self.answers_as(before, probes)
        self.assertProblem(self.server.delete(f"/examples/{listed[0]['id']}"), 404)
        self.assertEqual(len(self.server.get(f"/tasks/{task['id']}/examples").json()["examples"]), 10)

    def test_a_renamed_class_answers_under_its_new_name(self):
        self.teach_three()
        red = next(c for c in self.server.get("/classes").json()["classes"] if c["name"] == "red")
        renamed = self.assertStatus(
            self.server.send_json("PATCH", f"/classes/{red['id']}", {"name": "crimson"}), 200
        ).json()
        self.assertEqual((renamed["id"], renamed["name"]), (red["id"], "crimson"))
        self.eventually(lambda: self.server.predict(patch("red", self.random)).json()["label"] == "crimson")
        self.assertProblem(self.server.send_json("PATCH", f"/classes/{red['id']}", {"name": "blue"}), 409)
        self.assertProblem(self.server.send_json("PATCH", "/classes/999", {"name": "x"}), 404)
        for wrong in ({}, {"name": ""}, {"name": 3}, {"name": "x" * 5000}, []):
            self.assertProblem(self.server.send_json("PATCH", f"/classes/{red['id']}", wrong), (400, 422))

    def test_examples_added_to_a_task_change_what_it_knows(self):
        task = self.server.taught(patches("red", 5, self.random) + patches("blue", 5, self.random), holdout=0)
        more = patches("red", 3, self.random) + patches("blue", 2, self.random)
        body, kind = encode(more, "tar")
        target = f"/tasks/{task['id']}/examples?holdout=0"
        self.assertStatus(self.server.request("POST", target, body, {"Content-Type": kind}), 202)
        count = lambda task: {c["name"]: c["examples"] for c in task["classes"]}
        task = self.server.wait_ready(
            task["id"], until=lambda t: t["state"] == "ready" and count(t) == {"red": 8, "blue": 7}
        )
        self.assertEqual(len(self.server.get(f"/tasks/{task['id']}/examples").json()["examples"]), 15)
        self.assertProblem(self.server.request("POST", "/tasks/999/examples", body, {"Content-Type": kind}), 404)

    def test_any_order_of_tasks_gives_the_same_scores(self):
        sets = {c: patches(c, 6, self.random) for c in ("red", "blue", "green", "grey")}
        probes = [patch(c, self.random) for c in ("red", "violet", "green", "orange")]
        results = []
        for order in (["red", "blue", "green", "grey"], ["grey", "red", "green", "blue"]):
            with Server() as server:
                server.taught(sets[order[0]] + sets[order[1]], name="a", holdout=0)
                server.taught(sets[order[2]], name="b", holdout=0)
                server.taught(sets[order[3]], name="c", holdout=0)
                results.append(scores(server, probes))
        self.close(*results)

    def test_a_cancelled_task_does_not_serve(self):
        slow = [row for c in ("violet", "cyan") for row in patches(c, 300, self.random)]
        answer = self.server.teach(slow, name="slow", form="tar")
        self.assertStatus(answer, 202)
        task = answer.json()["id"]
        cancelled = self.server.request("POST", f"/tasks/{task}/cancel")
        if cancelled.status == 409:
            self.skipTest("the task was ready before it could be cancelled")
        self.assertStatus(cancelled, (200, 202))
        self.eventually(lambda: self.server.get(f"/tasks/{task}").json()["state"] == "cancelled")
        self.assertFalse(self.server.get(f"/tasks/{task}").json()["serving"])
        self.server.taught(patches("red", 5, self.random), name="after")

    def test_pages_of_examples(self):
        task = self.server.taught(patches("red", 12, self.random) + patches("blue", 12, self.random))
        seen, after = [], None
        while True:
            page = self.server.get(
                f"/tasks/{task['id']}/examples?limit=10" + (f"&after={after}" if after else "")
            ).json()
            self.assertLessEqual(len(page["examples"]), 10)
            seen += [e["id"] for e in page["examples"]]
            after = page.get("next")
            if after is None:
                break
        self.assertEqual(len(seen), 24)
        self.assertEqual(seen, sorted(set(seen)))

    def test_unknown_things_are_404_and_wrong_ids_are_refused(self):
        for target in ("/tasks/77", "/tasks/77/examples", "/tasks/77/events", "/nothing", "/tasks/1/nothing"):
            self.assertProblem(self.server.get(target), 404)
        for target in ("/tasks/x", "/tasks/-1", "/tasks/99999999999999999999", "/tasks/1.5"):
            self.assertProblem(self.server.get(target), (400, 404))
        for target in ("/tasks/77", "/classes/77", "/examples/77"):
            self.assertProblem(self.server.delete(target), 404)
        answer = self.server.request("PUT", "/tasks")
        self.assertProblem(answer, 405)
        self.assertEqual(
            {m.strip() for m in answer.headers["Allow"].split(",")} & {"GET", "POST", "PUT"}, {"GET", "POST"}
        )


class Restart(Case):
    def test_after_a_restart_all_is_as_before(self):
        source = random.Random(6)
        probes = [patch(c, source) for c in ("red", "blue", "green", "violet")]
        server = Server().start()
        self.addCleanup(server.__exit__)
        server.taught(patches("red", 6, source) + patches("blue", 6, source), name="one")
        server.taught(patches("green", 6, source), name="two")
        before = (
            server.get("/tasks").json(),
            server.get("/accuracy").json(),
            [server.predict(p).json() for p in probes],
        )
        self.assertEqual(server.terminate(), 0)
        server.start()
        after = (
            server.get("/tasks").json(),
            server.get("/accuracy").json(),
            [server.predict(p).json() for p in probes],
        )
        self.assertEqual(before, after)


if __name__ == "__main__":
    import unittest

    unittest.main()
