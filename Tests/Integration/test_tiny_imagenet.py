"""A short run of tiny_imagenet.py: four tasks, few images. The whole run is `make bench`."""

from harness import Case, progress
from tiny_imagenet import run


class TinyImageNet(Case):
    def test_four_tasks_of_five_classes(self):
        result = run(shots=10, resolution=112, tasks=4, test=8, held_out=True)
        progress(f"average accuracy {result['average_accuracy']}, reported {result['reported_average']}")
        self.assertGreater(result["average_accuracy"], 0.5)
        self.assertAlmostEqual(result["average_accuracy"], result["reported_average"], delta=0.01)


if __name__ == "__main__":
    import unittest

    unittest.main()
