"""Idempotency-Key: the same request again gives the same answer and does nothing twice."""

import random
import threading

from harness import Case, Server, encode, patches


class IdempotencyKey(Case):
    def setUp(self):
        self.random = random.Random(7)
        self.server = Server().start()
        self.addCleanup(self.server.__exit__)
        self.body, self.kind = encode(patches("red", 5, self.random) + patches("blue", 5, self.random), "tar")

    def post(self, key, body=None, target="/tasks?name=one"):
        headers = {"Content-Type": self.kind, "Idempotency-Key": key}
        return self.server.request("POST", target, body or self.body, headers)

    def test_the_same_body_gets_the_same_answer(self):
        first, second = self.post("k1"), self.post("k1")
        self.assertStatus(first, 202)
        self.assertEqual(
            (first.status, first.headers["Location"], first.body),
            (second.status, second.headers["Location"], second.body),
        )
        self.assertEqual(len(self.server.get("/tasks").json()["tasks"]), 1)

    def test_another_body_is_422(self):
        self.assertStatus(self.post("k1"), 202)
        other, _ = encode(patches("green", 5, self.random), "tar")
        self.assertProblem(self.post("k1", other), 422)

    def test_the_key_outlives_a_kill(self):
        first = self.post("k1")
        self.server.kill()
        self.server.start()
        second = self.post("k1")
        self.assertEqual((first.status, first.body), (second.status, second.body))
        self.assertEqual(len(self.server.get("/tasks").json()["tasks"]), 1)

    def test_requests_at_the_same_time_make_one_task(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.post("k1"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = [a for a in answers if a.status == 202]
        self.assertTrue(accepted)
        self.assertEqual(len({a.body for a in accepted}), 1)
        for answer in answers:
            if answer.status != 202:
                self.assertProblem(answer, (409, 503))
        self.assertEqual(len(self.server.get("/tasks").json()["tasks"]), 1)

    def test_examples_are_added_once(self):
        task = self.server.wait_ready(self.post("k1").json()["id"])["id"]
        more, _ = encode(patches("red", 3, self.random), "tar")
        target = f"/tasks/{task}/examples"
        first, second = self.post("k2", more, target), self.post("k2", more, target)
        self.assertStatus(first, 202)
        self.assertEqual(first.body, second.body)
        self.assertEqual(len(self.server.get(f"/tasks/{task}/examples").json()["examples"]), 13)

    def test_a_key_that_is_no_key_is_refused(self):
        for key in ("", "x" * 5000):
            with self.subTest(key[:10]):
                self.assertProblem(self.post(key), (400, 422))


if __name__ == "__main__":
    import unittest

    unittest.main()
