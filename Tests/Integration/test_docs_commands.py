"""The commands of README.md and docs/ do what the pages say; each page starts with an empty server."""

import tempfile

import docs_commands
from harness import ROOT, Case, Server


class Documentation(Case):
    def test_every_command(self):
        ran = 0
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
            if not docs_commands.blocks(page):
                continue
            # As the tour of the API says.
            flags = ("--prompt-judges", "8")
            with Server(*flags, resolution=160, learner=None) as server, tempfile.TemporaryDirectory() as folder:
                for line, block, fault in docs_commands.run(page, server, folder):
                    with self.subTest(f"{page.relative_to(ROOT)}:{line}"):
                        self.assertIsNone(fault, f"\n{block}\n{fault}\n{server.log(15)}")
                    ran += 1
        self.assertGreater(ran, 5)


if __name__ == "__main__":
    import unittest

    unittest.main()
