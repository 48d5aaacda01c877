"""Runs one of blivet's tests on disks that are there, where its own test case makes some with targetcli.

Usage: run_blivet.py TEST   (as for unittest)
BLIVET_DISKS: paths of disks, with nothing on them; TANG_URL: where a tang server answers.
"""

import os
import subprocess
import sys
import unittest

from tests.storage_tests import storagetestcase
from tests.storage_tests.devices_test import stratis_test

START_BYTES = 20 * 1024 * 1024


def bytes_of(disk):
    """The size of a disk."""
    with open(disk, "rb") as device:
        return device.seek(0, os.SEEK_END)


class Disks:
    """The disks, given out by the size that a test wants."""

    def __init__(self, paths):
        self._free = [os.path.realpath(path) for path in paths]

    def take(self, file_of_that_size):
        """Instead of making a disk of a file."""
        size = os.stat(file_of_that_size).st_size
        disk = next(path for path in self._free if bytes_of(path) == size)
        self._free.remove(disk)
        return disk

    def give_back(self, disk):
        """Instead of taking the disk away: what a test leaves on it is not for the next."""
        with open(disk, "r+b") as device:
            device.write(bytes(START_BYTES))
            os.fsync(device.fileno())
        subprocess.run(["blockdev", "--rereadpt", disk], check=True)
        subprocess.run(["udevadm", "settle"], check=True)
        self._free.append(disk)


def main():
    """Returns the exit status."""
    disks = Disks(os.environ["BLIVET_DISKS"].split())
    storagetestcase.create_lio_device = disks.take
    storagetestcase.delete_lio_device = disks.give_back
    # Left out by its authors because they have no tang server.
    clevis = stratis_test.StratisTestCaseClevis
    clevis.__unittest_skip__ = False
    clevis._tang_server = os.environ["TANG_URL"]  # pylint: disable=protected-access
    suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 and not result.skipped else 1


sys.exit(main())
