"""Debian's Fashion-MNIST through the API: five tasks of two classes."""

from datasets import FASHION_NAMES, fashion_mnist
from harness import Case, Server, progress
from tiny_imagenet import ask


class FashionMNIST(Case):
    def test_five_tasks_of_two_classes(self):
        learn, tested = fashion_mnist("train", 20), fashion_mnist("t10k", 20)
        with Server(resolution=96) as server:
            for start in range(0, 10, 2):
                pair = FASHION_NAMES[start : start + 2]
                examples = [(name, image) for name in pair for image in learn[name]]
                server.taught(examples, name=" and ".join(pair), form="zip", holdout=0.2)
            accuracies = []
            for name in FASHION_NAMES:
                labels = ask(server, tested[name])
                accuracies.append(sum(label == name for label in labels) / len(labels))
            average = sum(accuracies) / 10
            value = server.get("/accuracy").json()
            progress(
                f"Fashion-MNIST, 16 images a class: {average:.3f} on the test part, "
                f"{value['average']:.3f} by its own held-out examples"
            )
            self.assertEqual([len(row) for row in value["matrix"]], [1, 2, 3, 4, 5])
            # Near-duplicates stay together, so that a class can hold out a few more than its share.
            self.assertTrue(all(8 <= count <= 20 for count in value["counts"][-1]), value["counts"][-1])
            self.assertGreater(average, 0.6)
            self.assertIsNotNone(value["forgetting"])


if __name__ == "__main__":
    import unittest

    unittest.main()
