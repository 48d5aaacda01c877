"""
The tests of a project that uses unittest, from its folder "integration", with one line of JSON for each.

    run_tests.py list TESTS     prints the id of every test
    run_tests.py run TESTS      runs the tests whose ids are on standard input, one a line

"run" prints {"test": id, "event": "begin"} when a test begins and {"test": id, "event": "end", "problem": text} when it
has ended; the problem is null for one that passed. What goes wrong outside of a test is an "end" without a "begin".
What the tests and their children print goes to standard error.
"""

import json
import os
import sys
import unittest


class Reporter(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self.buffer = True
        self._stream = stream
        self._problems = {}

    def _say(self, test, event, **more):
        print(json.dumps({"test": test.id(), "event": event, **more}), file=self._stream, flush=True)

    def _problem(self, test, text):
        self._problems.setdefault(test.id(), []).append(text)

    def startTest(self, test):
        super().startTest(test)
        self._say(test, "begin")

    def stopTest(self, test):
        super().stopTest(test)
        problems = self._problems.pop(test.id(), None)
        self._say(test, "end", problem=None if problems is None else "\n".join(problems))

    def addError(self, test, err):
        super().addError(test, err)
        text = self.errors[-1][1]
        if isinstance(test, unittest.TestCase):
            self._problem(test, text)
        else:
            self._say(test, "end", problem=text)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._problem(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._problem(test, f"{subtest}: {self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._problem(test, f"skipped: {reason}")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._problem(test, "passed, where its author expects a failure")


def single_tests(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from single_tests(entry)
        else:
            yield entry


def main():
    command, folder = sys.argv[1:]
    found = unittest.defaultTestLoader.discover(
        os.path.join(folder, "integration"), top_level_dir=folder
    )
    tests = {test.id(): test for test in single_tests(found)}
    if command == "list":
        print("\n".join(tests))
        return
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    wanted = [line.strip() for line in sys.stdin]
    unittest.TestSuite(tests[name] for name in wanted).run(Reporter(report))


main()
