"""Whole, and then changed by hand."""

from labkit.operate.audit import AuditLog
from labkit.operate.chain import verify


def test_a_changed_line_is_found(tmp_path):
    file = tmp_path / "audit.jsonl"
    log = AuditLog(file)
    for number in range(5):
        log.append("tool.called", who="ana", tool=f"tool {number}", outcome="done")
    assert verify(file).ok
    file.write_text(file.read_text().replace("tool 3", "tool 4"))
    broken = verify(file)
    assert not broken.ok and broken.line == 4
