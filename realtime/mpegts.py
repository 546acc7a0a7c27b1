"""Whether a transport stream was cut in the middle of a packet: it has no header that says how long it should be."""

from __future__ import annotations

from pathlib import Path

SYNC = 0x47
PACKETS = ((188, 0), (192, 4), (204, 0))  # bytes, and where in them the sync byte stands: broadcast, AVCHD, with FEC


def torn(path: Path) -> bool:
    """True when the last packet has begun and is not whole. A cut between two packets leaves no trace.

    False for a file that is no transport stream, has something else behind its last packet, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(3 * 204)
            for size, sync_at in PACKETS:
                if len(head) >= 3 * size and all(head[k * size + sync_at] == SYNC for k in range(3)):
                    length = path.stat().st_size
                    rest = length % size
                    file.seek(length - rest)
                    tail = file.read(rest)
                    return 0 < rest <= sync_at or (rest > sync_at and tail[sync_at] == SYNC)
    except OSError:
        pass
    return False
