#!/usr/bin/env python3
"""Runs the test_*.py files beside it, or those named, one after the other; closes with "N passed, N failed, N skipped".

run.py [-k TEXT] [test_limits.py ...]
"""

import argparse
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


class Result(unittest.TextTestResult):
    """Prints a line a test, with its time."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.passed = 0

    def startTest(self, test):
        self.started = time.monotonic()
        unittest.TestResult.startTest(self, test)

    def _line(self, test, word, reason=""):
        seconds = time.monotonic() - getattr(self, "started", time.monotonic())
        self.stream.writeln(f"{word:7} {seconds:6.1f} s  {test.id()}" + (f": {reason}" if reason else ""))
        self.stream.flush()

    def addSuccess(self, test):
        self.passed += 1
        self._line(test, "passed")

    def addFailure(self, test, error):
        unittest.TestResult.addFailure(self, test, error)
        self._line(test, "FAILED")
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, error):
        unittest.TestResult.addError(self, test, error)
        self._line(test, "FAILED")
        self.stream.writeln(self.errors[-1][1])

    def addSkip(self, test, reason):
        unittest.TestResult.addSkip(self, test, reason)
        self._line(test, "skipped", reason)

    def addSubTest(self, test, subtest, error):
        unittest.TestResult.addSubTest(self, test, subtest, error)
        if error is not None:
            self._line(subtest, "FAILED")
            self.stream.writeln((self.failures + self.errors)[-1][1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", metavar="TEXT", help="run tests whose id contains TEXT")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    names = [pathlib.Path(f).stem for f in options.files] or sorted(p.stem for p in HERE.glob("test_*.py"))
    stream = unittest.runner._WritelnDecorator(sys.stdout)
    result = Result(stream, descriptions=False, verbosity=0)
    for name in names:
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        if options.k:
            suite = unittest.TestSuite(test for test in flatten(suite) if options.k in test.id())
        suite.run(result)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    sys.exit(0 if failed == 0 and result.passed + len(result.skipped) > 0 else 1)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


if __name__ == "__main__":
    main()
