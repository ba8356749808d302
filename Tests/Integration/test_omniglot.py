"""All 136 characters of the shared Omniglot file: 15 drawers to learn, 5 to test, one task an alphabet."""

import collections
import re

from datasets import shared_zip
from harness import Case, Server, progress
from tiny_imagenet import ask


class Omniglot(Case):
    def test_five_alphabets(self):
        learn, tested = collections.defaultdict(list), {}
        with shared_zip("omniglot-small1.zip") as archive:
            for entry in sorted(archive.namelist()):
                match = re.fullmatch(r"[^/]+/(\w+)[^/]*/(character\d+)/\d+_(\d+)\.png", entry)
                if not match:
                    continue
                label = f"{match[1]} {match[2]}"
                image = archive.read(entry)
                if int(match[3]) <= 15:
                    learn[match[1]].append((label, f"drawer{match[3]}", image))
                else:
                    tested.setdefault(label, []).append(image)
        self.assertEqual((len(tested), sum(map(len, learn.values())), sum(map(len, tested.values()))), (136, 2040, 680))
        with Server(resolution=96) as server:
            for alphabet, examples in learn.items():
                task = server.taught(examples, name=alphabet, form="tar", holdout=0, timeout=600)
                progress(f"{alphabet}: {len(task['classes'])} characters")
            self.assertEqual(len(server.get("/classes").json()["classes"]), 136)
            images = [(label, image) for label, all_of_it in tested.items() for image in all_of_it]
            answers = ask(server, [image for _, image in images])
            right = collections.Counter(label.split()[0] for (label, _), got in zip(images, answers) if got == label)
            total = collections.Counter(label.split()[0] for label, _ in images)
        accuracy = sum(right.values()) / len(images)
        progress(
            f"Omniglot, 136 classes, 15 drawers: {accuracy:.3f} on 680 images of 5 other drawers; "
            + ", ".join(f"{a} {right[a] / total[a]:.2f}" for a in total)
        )
        self.assertGreater(accuracy, 0.3)


if __name__ == "__main__":
    import unittest

    unittest.main()
