"""The workshop kit: the whole course on a stick, for a room without a network, and what an instructor sees of it.

build(Path("/media/stick/kit"), [here()])          # wheels, weights, notebooks, installer, checksums
verify(Path("/media/stick/kit"))                   # what is changed, missing or extra
machine_report()                                   # one machine: no names, no paths
board([Path("reports/desk-07.json"), …])           # thirty of them at a glance
plan("4h")                                         # a timetable from the lessons' own minutes
"""

from labkit.kit.build import Built, build
from labkit.kit.targets import Target, here, platforms
from labkit.kit.verify import Checked, verify

__all__ = ["Built", "Checked", "Target", "build", "here", "platforms", "verify"]
