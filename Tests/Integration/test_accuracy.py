"""GET /accuracy: the matrix R, its figures, and null with a reason where nothing can be told."""

import random

from harness import Case, Server, patches


class Accuracy(Case):
    def setUp(self):
        self.random = random.Random(11)
        self.server = Server().start()
        self.addCleanup(self.server.__exit__)

    def test_before_anything_is_taught_all_is_null_with_a_reason(self):
        value = self.assertStatus(self.server.get("/accuracy"), 200).json()
        self.assertEqual((value["tasks"], value["matrix"], value["counts"]), ([], [], []))
        for figure in ("average", "average_incremental", "forgetting", "backward_transfer"):
            self.assertIsNone(value[figure])
            self.assertTrue(value["notes"][figure])

    def test_a_row_a_task_and_figures_that_follow_from_the_matrix(self):
        ids = []
        for a, b in (("red", "blue"), ("green", "grey"), ("violet", "yellow")):
            ids.append(self.server.taught(patches(a, 10, self.random) + patches(b, 10, self.random), name=a)["id"])
        value = self.server.get("/accuracy").json()
        self.assertEqual([t["id"] for t in value["tasks"]], ids)
        self.assertEqual([t["name"] for t in value["tasks"]], ["red", "green", "violet"])
        matrix, counts = value["matrix"], value["counts"]
        self.assertEqual([len(row) for row in matrix], [1, 2, 3])
        self.assertEqual(counts, [[4], [4, 4], [4, 4, 4]])
        for row in matrix:
            for cell in row:
                self.assertEqual(cell * 4, round(cell * 4))
        last = matrix[-1]
        self.assertAlmostEqual(value["average"], sum(last) / 3, delta=1e-9)
        self.assertAlmostEqual(value["average_incremental"], sum(sum(r) / len(r) for r in matrix) / 3, delta=1e-9)
        forgetting = [max(matrix[i][j] for i in range(j, 2)) - last[j] for j in range(2)]
        self.assertAlmostEqual(value["forgetting"], sum(forgetting) / 2, delta=1e-9)
        transfer = [last[j] - matrix[j][j] for j in range(2)]
        self.assertAlmostEqual(value["backward_transfer"], sum(transfer) / 2, delta=1e-9)
        self.assertTrue(value["intervals"])

    def test_a_task_without_held_out_examples_is_null_not_0(self):
        self.server.taught(patches("red", 6, self.random) + patches("blue", 6, self.random), holdout=0)
        value = self.server.get("/accuracy").json()
        self.assertEqual((value["matrix"], value["counts"]), ([[None]], [[None]]))
        self.assertIsNone(value["average"])
        self.assertTrue(value["notes"]["average"])

    def test_one_task_has_no_forgetting(self):
        self.server.taught(patches("red", 10, self.random) + patches("blue", 10, self.random))
        value = self.server.get("/accuracy").json()
        self.assertIsNotNone(value["average"])
        for figure in ("forgetting", "backward_transfer"):
            self.assertIsNone(value[figure])
            self.assertTrue(value["notes"][figure])


if __name__ == "__main__":
    import unittest

    unittest.main()
