"""POST /tasks: the four forms, broken items, conflicts, held-out items, refusals."""

import base64
import random

from harness import Case, Server, SharedServer, multipart, patch, patches, png, stamps, tar_of, zip_of


class TeachFromEveryForm(SharedServer):
    """One server; each form teaches two classes of photographs or patches of its own."""

    settings = {"resolution": 160}

    def check(self, form, folders):
        examples, held_back = [], []
        for folder in folders:
            images = stamps(folder)
            held_back += images[-2:]
            examples += images[:-2]
        answer = self.server.teach(examples, name=f"from {form}", form=form)
        self.assertStatus(answer, 202)
        accepted = answer.json()
        self.assertEqual(answer.headers["Location"], f"/tasks/{accepted['id']}")
        self.assertEqual(accepted["name"], f"from {form}")
        task = self.server.wait_ready(accepted["id"])
        self.assertTrue(task["serving"])
        self.assertEqual(task["rejected"], [])
        counts = {c["name"]: c["examples"] + c["held_out"] for c in task["classes"]}
        labels = {label for label, _ in examples}
        self.assertEqual(counts, {label: sum(1 for e in examples if e[0] == label) for label in labels})
        for one in task["classes"]:
            total = one["examples"] + one["held_out"]
            self.assertGreaterEqual(one["held_out"], 1 if total >= 5 else 0, one)
        right = sum(self.server.predict(image).json()["label"] == label for label, image in held_back)
        self.assertGreaterEqual(right, len(held_back) - 1, f"{right} of {len(held_back)} photographs right")

    def test_tar_of_image_folders(self):
        self.check("tar", ["food/fruit", "plants/flowers"])

    def test_zip_of_image_folders(self):
        self.check("zip", ["animals/birds", "animals/mammals/bovines"])

    def test_json_with_base64(self):
        self.check("json", ["household/tools", "animals/insects"])

    def test_multipart_named_by_class(self):
        self.check("multipart", ["food/vegetables", "space/planets"])


class TeachAnswers(Case):
    def setUp(self):
        self.random = random.Random(2)
        self.server = Server().start()
        self.addCleanup(self.server.__exit__)

    def pair(self, a="red", b="blue", count=6):
        return patches(a, count, self.random) + patches(b, count, self.random)

    def test_a_broken_item_is_listed_and_the_rest_go_on(self):
        whole = patch("red", self.random)
        examples = self.pair()
        examples[3] = ("red", b"no image at all")
        examples[7] = ("blue", whole[: len(whole) // 2])
        task = self.server.taught(examples, form="json")
        self.assertEqual([item["index"] for item in task["rejected"]], [3, 7])
        for item in task["rejected"]:
            self.assertTrue(item["reason"])
        self.assertEqual(sum(c["examples"] + c["held_out"] for c in task["classes"]), 10)

    def test_a_rejected_file_of_an_archive_carries_its_name(self):
        files = [(f"{label}/{i}.png", data) for i, (label, data) in enumerate(self.pair())]
        files.insert(2, ("red/notes.txt", b"words"))
        for make, kind in ((tar_of, "application/x-tar"), (zip_of, "application/zip")):
            with self.subTest(kind):
                answer = self.server.request("POST", "/tasks?extend=true", make(files), {"Content-Type": kind})
                self.assertStatus(answer, 202)
                rejected = self.server.wait_ready(answer.json()["id"])["rejected"]
                self.assertEqual(len(rejected), 1)
                self.assertIn("notes.txt", rejected[0]["name"])

    def test_nothing_usable_is_422(self):
        problem = self.assertProblem(self.server.teach([("a", b"x"), ("b", b"y")], form="json"), 422)
        self.assertIn("detail", problem)
        self.assertEqual(self.server.get("/tasks").json()["tasks"], [])
        self.assertProblem(self.server.send_json("POST", "/tasks", {"examples": []}), (400, 422))

    def test_a_class_that_exists_is_a_conflict_unless_extended(self):
        first = self.server.taught(self.pair(), name="first")
        more = self.pair("red", "green")
        problem = self.assertProblem(self.server.teach(more, name="second"), 409)
        self.assertIn("red", str(problem))
        self.assertEqual(len(self.server.get("/tasks").json()["tasks"]), 1)
        second = self.server.taught(more, name="second", extend="true")
        classes = {c["name"]: c for c in self.server.get("/classes").json()["classes"]}
        self.assertEqual(set(classes), {"red", "blue", "green"})
        red = {c["name"]: c["id"] for c in first["classes"]}["red"]
        self.assertEqual(classes["red"]["id"], red)
        self.assertEqual({c["name"]: c["id"] for c in second["classes"]}["red"], red)
        self.assertEqual(classes["red"]["examples"] + classes["red"]["held_out"], 12)

    def test_another_spelling_of_a_name_is_the_same_class(self):
        composed, decomposed = "caf\u00e9", "cafe\u0301"
        self.server.taught(patches("red", 4, self.random, composed) + patches("blue", 4, self.random), name=decomposed)
        more = patches("red", 4, self.random, decomposed)
        for form in ("tar", "zip", "multipart", "json"):
            with self.subTest(form):
                self.assertProblem(self.server.teach(more, form=form), 409)
        self.server.taught(more + patches("red", 4, self.random, composed), extend="true")
        classes = {c["name"]: c for c in self.server.get("/classes").json()["classes"]}
        self.assertEqual(set(classes), {composed, "blue"})
        self.assertEqual(classes[composed]["examples"] + classes[composed]["held_out"], 12)
        self.assertEqual(self.server.get("/tasks").json()["tasks"][0]["name"], composed)
        target = f"/classes/{classes['blue']['id']}"
        self.assertProblem(self.server.send_json("PATCH", target, {"name": decomposed}), 409)
        renamed = self.server.send_json("PATCH", target, {"name": "u\u0308ber"})
        self.assertEqual(self.assertStatus(renamed, 200).json()["name"], "\u00fcber")

    def test_held_out_items_named_in_the_request_are_the_held_out_ones(self):
        task = self.server.taught(self.pair(count=10), form="json", held_out=self.pair(count=3))
        for one in task["classes"]:
            self.assertEqual((one["examples"], one["held_out"]), (10, 3), one)

    def test_holdout_0_holds_out_none_and_half_holds_out_half(self):
        task = self.server.taught(self.pair(count=8), holdout=0)
        self.assertEqual([c["held_out"] for c in task["classes"]], [0, 0])
        task = self.server.taught(self.pair("green", "grey", count=8), holdout=0.5)
        self.assertEqual([c["held_out"] for c in task["classes"]], [4, 4])

    def test_a_group_stays_on_one_side(self):
        examples = [("red", f"g{i // 4}", patch("red", self.random)) for i in range(16)]
        examples += [("blue", f"g{i // 4}", patch("blue", self.random)) for i in range(16)]
        task = self.server.taught(examples, form="tar", holdout=0.25)
        for one in task["classes"]:
            self.assertEqual(one["held_out"] % 4, 0, one)
            self.assertGreater(one["held_out"], 0, one)
        listed = self.server.get(f"/tasks/{task['id']}/examples?limit=100").json()["examples"]
        sides = {}
        for example in listed:
            sides.setdefault((example["label"], example["group"]), set()).add(example["held_out"])
        self.assertEqual(len(sides), 8)
        self.assertTrue(all(len(side) == 1 for side in sides.values()), sides)

    def test_labels_in_any_script_come_back_as_they_were(self):
        names = ["Äpfel", "苹果", "naïve café"]
        examples = [
            row
            for name, colour in zip(names, ("red", "green", "blue"))
            for row in patches(colour, 5, self.random, label=name)
        ]
        for form in ("json", "tar", "zip"):
            task = self.server.taught(examples, form=form, extend="true")
            self.assertEqual({c["name"] for c in task["classes"]}, set(names), form)

    def test_refused_requests(self):
        image = patch("red", self.random)
        data = base64.b64encode(image).decode()
        cases = [
            ("no JSON", "/tasks", "application/json", b"{", (400,)),
            ("JSON of another shape", "/tasks", "application/json", b"[1]", (400, 422)),
            ("no base64", "/tasks", "application/json", b'{"examples":[{"label":"a","data":"%%%"}]}', (400, 422)),
            (
                "an empty label",
                "/tasks",
                "application/json",
                f'{{"examples":[{{"label":"","data":"{data}"}}]}}'.encode(),
                (400, 422),
            ),
            ("a media type", "/tasks", "application/x-rar", b"Rar!", (415,)),
            ("no media type", "/tasks", None, b"abc", (415,)),
            ("no tar", "/tasks", "application/x-tar", b"x" * 2000, (400, 422)),
            ("no zip", "/tasks", "application/zip", b"PK\x03\x04" + b"x" * 100, (400, 422)),
            ("no boundary", "/tasks", "multipart/form-data", b"--x\r\n", (400,)),
            ("another boundary", "/tasks", "multipart/form-data; boundary=y", b"--x\r\n\r\n--x--\r\n", (400, 422)),
            ("a learner", "/tasks?learner=magic", "application/x-tar", tar_of([("a/b.png", image)]), (400, 422)),
            ("a holdout", "/tasks?holdout=2", "application/x-tar", tar_of([("a/b.png", image)]), (400, 422)),
            (
                "a holdout in words",
                "/tasks?holdout=many",
                "application/x-tar",
                tar_of([("a/b.png", image)]),
                (400, 422),
            ),
            ("an empty body", "/tasks", "application/x-tar", b"", (400, 411, 422)),
        ]
        for name, target, kind, body, statuses in cases:
            with self.subTest(name):
                headers = {"Content-Type": kind} if kind else {}
                self.assertProblem(self.server.request("POST", target, body, headers), statuses)
        self.assertEqual(self.server.get("/tasks").json()["tasks"], [])

    def test_a_multipart_part_without_a_name_is_refused(self):
        body, kind = multipart([("red", "a.png", patch("red", self.random))])
        self.assertProblem(
            self.server.request("POST", "/tasks", body.replace(b'name="red"; ', b""), {"Content-Type": kind}),
            (400, 422),
        )

    def test_images_of_every_kind_of_png_are_taken(self):
        grey = png(40, 30, bytes(i % 256 for i in range(1200)), channels=1)
        one = png(1, 1, b"\x10\x20\x30")
        task = self.server.taught(
            [("grey", grey), ("grey", patch("grey", self.random)), ("dot", one)], form="json", holdout=0
        )
        self.assertEqual(task["rejected"], [])


if __name__ == "__main__":
    import unittest

    unittest.main()
