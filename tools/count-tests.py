#!/usr/bin/env python3
"""Reads a suite's log and exit status, prints "PASSED FAILED SKIPPED".

Understands the closing lines of Swift Testing, XCTest and of our own suites ("N passed, N failed[, N skipped]").
A suite that prints no count is one test, judged by its status; one that counts no failure but exits non-zero is one
failure more.
"""

import re
import sys


def count(text, status):
    passed = failed = skipped = 0
    counted = False
    for line in text.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
        if match := re.fullmatch(r"(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", line):
            counted = True
            passed += int(match[1])
            failed += int(match[2])
            skipped += int(match[3] or 0)
        elif match := re.search(r"Test run with (\d+) tests?(?: in \d+ suites?)? (passed|failed) after", line):
            total = int(match[1])
            bad = len(failures(text)) if match[2] == "failed" else 0
            bad = max(bad, 1) if match[2] == "failed" else 0
            counted = counted or total > 0
            passed += max(total - bad, 0)
            failed += bad
    if not counted:
        return (1, 0, 0) if status == 0 else (0, 1, 0)
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


def failures(text):
    """Names of the Swift Testing tests that failed."""
    return set(re.findall(r"Test (\S+?\(.*?\)|\".*?\") failed after", text))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        print(*count(log.read(), int(sys.argv[2])))
