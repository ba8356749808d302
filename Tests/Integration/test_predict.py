"""POST /predict: the forms of a request, top_k, confidence, versions, and refusals."""

import base64
import random
import threading

from harness import Case, Server, SharedServer, multipart, patch, patches


class BeforeTheFirstClass(Case):
    def test_it_is_503_with_a_reason(self):
        with Server() as server:
            problem = self.assertProblem(server.predict(patch("red", random.Random(1))), 503)
            self.assertTrue(problem.get("detail"))


class Predicting(SharedServer):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(3)
        super().setUpClass()
        cls.colours = ["red", "green", "blue", "yellow", "violet", "cyan"]
        cls.server.taught([e for c in cls.colours for e in patches(c, 8, cls.random)], name="colours")

    def assertPrediction(self, value, label=None):
        for member in ("label", "class_id", "confidence", "unknown", "top"):
            self.assertIn(member, value)
        self.assertTrue(0 <= value["confidence"] <= 1)
        if not value["unknown"]:
            self.assertEqual(value["label"], value["top"][0]["label"])
            self.assertEqual(value["class_id"], value["top"][0]["class_id"])
        confidences = [entry["confidence"] for entry in value["top"]]
        self.assertEqual(confidences, sorted(confidences, reverse=True))
        if label:
            self.assertEqual(value["label"], label)

    def test_raw_bytes_in_any_image_type(self):
        for kind in ("application/octet-stream", "image/png"):
            answer = self.assertStatus(self.server.predict(patch("green", self.random), kind), 200)
            self.assertPrediction(answer.json(), "green")
            self.assertIsInstance(answer.json()["version"], int)

    def test_several_files_in_one_multipart_answer_in_order(self):
        order = ["blue", "red", "yellow", "green", "blue"]
        body, kind = multipart([("file", f"{i}.png", patch(c, self.random)) for i, c in enumerate(order)])
        value = self.assertStatus(self.server.predict(body, kind), 200).json()
        self.assertIsInstance(value["version"], int)
        self.assertEqual([p["label"] for p in value["predictions"]], order)

    def test_one_part_is_answered_as_one_input(self):
        body, kind = multipart([("file", "a.png", patch("red", self.random))])
        self.assertPrediction(self.server.predict(body, kind).json(), "red")

    def test_a_failed_input_does_not_fail_the_others(self):
        body, kind = multipart(
            [("f", "0", patch("red", self.random)), ("f", "1", b"?"), ("f", "2", patch("blue", self.random))]
        )
        predictions = self.assertStatus(self.server.predict(body, kind), 200).json()["predictions"]
        self.assertEqual([p.get("label") for p in predictions], ["red", None, "blue"])
        self.assertEqual(predictions[1]["index"], 1)
        self.assertTrue(predictions[1]["error"])

    def test_json_with_one_and_with_several(self):
        encoded = [base64.b64encode(patch(c, self.random)).decode() for c in ("cyan", "violet")]
        one = self.server.send_json("POST", "/predict", {"data": encoded[0]})
        self.assertPrediction(self.assertStatus(one, 200).json(), "cyan")
        two = self.server.send_json("POST", "/predict", {"inputs": [{"data": e} for e in encoded]})
        self.assertEqual([p["label"] for p in self.assertStatus(two, 200).json()["predictions"]], ["cyan", "violet"])

    def test_top_k(self):
        image = patch("red", self.random)
        for asked, listed in ((1, 1), (3, 3), (6, 6), (50, 6)):
            value = self.server.predict(image, top_k=asked).json()
            self.assertEqual(len(value["top"]), listed)
            self.assertEqual(len({entry["class_id"] for entry in value["top"]}), listed)
        self.assertEqual(len(self.server.predict(image).json()["top"]), 5)
        self.assertAlmostEqual(
            sum(e["confidence"] for e in self.server.predict(image, top_k=6).json()["top"]), 1, delta=1e-3
        )
        for wrong in ("0", "-1", "x", "1.5", "99999999999999999999"):
            self.assertProblem(self.server.predict(image, top_k=wrong), (400, 422))

    def test_what_cannot_be_read_is_refused(self):
        whole = patch("red", self.random)
        self.assertProblem(self.server.predict(b"not an image"), (400, 415, 422))
        self.assertProblem(self.server.predict(whole[:200]), (400, 422))
        self.assertProblem(self.server.predict(b""), (400, 411, 422))
        self.assertProblem(self.server.predict(b"{", "application/json"), 400)
        self.assertProblem(self.server.predict(whole, "text/html"), 415)

    def test_requests_that_arrive_together_each_get_their_own_answer(self):
        images = [(c, patch(c, self.random)) for c in self.colours * 8]
        alone = [self.server.predict(image).json() for _, image in images]
        together = [None] * len(images)

        def ask(start):
            for index in range(start, len(images), 12):
                together[index] = self.server.predict(images[index][1]).json()

        threads = [threading.Thread(target=ask, args=(s,)) for s in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for first, second in zip(alone, together):
            self.assertEqual(first["label"], second["label"])
            self.assertAlmostEqual(first["confidence"], second["confidence"], delta=1e-4)

    def test_the_version_grows_with_what_is_taught(self):
        image = patch("red", self.random)
        before = self.server.predict(image).json()["version"]
        self.server.taught(patches("orange", 6, self.random), name="one more")
        self.assertGreater(self.server.predict(image).json()["version"], before)
        versions = self.server.get("/versions").json()["versions"]
        self.assertIn(before, [v["id"] for v in versions])
        self.server.delete(f"/tasks/{self.server.get('/tasks').json()['tasks'][-1]['id']}")


if __name__ == "__main__":
    import unittest

    unittest.main()
