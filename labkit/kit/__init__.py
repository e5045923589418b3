"""The workshop kit: the whole course on a stick, for a room without a network, and what an instructor sees of it.

    kit.build("/media/stick/kit", [kit.here()])        # wheels, weights, notebooks, installer, checksums
    kit.verify("/media/stick/kit").ok                  # what is changed, missing or extra

Beside it: `report` (one machine in a file, without names), `progress` (a learner's own board), `board` (thirty of both),
`syllabus` (timetables and notes for who teaches), `lessons` (what `labkit lessons` prints).

Explained in README.md, section "The command".
"""

from labkit.kit.build import Built, build
from labkit.kit.targets import Target, here, platforms
from labkit.kit.verify import Checked, verify

__all__ = ["Built", "Checked", "Target", "build", "here", "platforms", "verify"]
