"""Writers of one file, one after the other in the order in which they came.

SQLite's own waiting is a lottery: whoever asks at the right moment is let in, and the longer one waits the more rarely
it asks. Of eight that write without a pause one then waits for many seconds now and again.
"""

import fcntl
import os
import threading
from pathlib import Path

from aiops_cli.private_files import open_private


def take_turn(path: Path, timeout_s: float, *, strict: bool = False) -> int | None:
    """Lock a file that is there for nothing else; gives the descriptor to close afterwards, None when others were
    before us for all that time.

    The kernel gives it to those who wait in their order, and takes it back from a process that is killed. On a file
    system without such locks nobody waits here, but whoever takes the lock for a proof (`strict`) gets an OSError.
    Raises OSError when the file cannot be opened.
    """
    descriptor = open_private(path, os.O_CREAT | os.O_RDWR)
    ours = False
    try:
        ours = _try(descriptor, strict) or (timeout_s > 0 and _wait(descriptor, timeout_s))
    finally:
        # Also when somebody pressed Ctrl-C meanwhile.
        if not ours:
            os.close(descriptor)
    return descriptor if ours else None


def _try(descriptor: int, strict: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if strict:
            raise
        return True
    return True


def _wait(descriptor: int, timeout_s: float) -> bool:
    """The call that keeps the order cannot be given a time, so another thread waits in it.

    One that is left behind holds nothing: its lock goes with the descriptor, which is closed by then.
    """
    waiting = threading.Thread(target=fcntl.flock, args=(descriptor, fcntl.LOCK_EX), daemon=True)
    waiting.start()
    waiting.join(timeout_s)
    return not waiting.is_alive()
