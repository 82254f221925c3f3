"""Files that belong to one person: checked once they are open, and made for nobody else.

Every way in goes folder first: the folder is opened and looked at, and the file is opened below that very folder. What
is looked at is what was opened, never a name a second time.

A symbolic link is the person's own will in two places: on the way to a folder (`AIOPS_HOME` may be a link, and so may
anything above it), and in front of a file that people write and the program only reads (`read_trusted`: settings kept
in a checkout of dotfiles, say). Both hold only for links of their own or of the system, and what they lead to is
checked as if it stood there itself. Every other file is refused when it is a link: the store, locks, journals, kept
answers, approvals, policies and the file of allowed signers.

Every refusal is an `OSError` whose `strerror` is the reason in plain words.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_LINK = "is a symbolic link"
_FOREIGN = "belongs to another user"
_FOREIGN_LINK = "is reached through a symbolic link of another user"
# As many as the kernel itself follows.
_MOST_LINKS = 40
Check = Callable[[os.stat_result, Path], None]


class NotPrivate(PermissionError):
    """A file or folder that cannot be trusted, with the reason in `strerror`."""

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(errno.EPERM, reason, str(path))


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. Raises OSError when it is not ours."""
    missing = [path, *path.parents]
    while missing and os.path.lexists(missing[-1]):
        missing.pop()
    for folder in reversed(missing):
        # One after the other: with `parents` the mode would be that of the last alone.
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    os.close(open_folder(path))


def open_folder(path: Path) -> int:
    """A descriptor of a folder of ours that nobody else can write to. Links that lead there must be ours too."""
    _check_links(path)
    descriptor = os.open(path, _READ | os.O_DIRECTORY)
    return _checked(descriptor, path, _check_own_folder)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file of ours, 0600 whatever the umask; made with O_CREAT. Raises OSError for any other file."""
    with _inside(path, _check_folder) as folder:
        return _open_below(folder, path, flags)


def open_untouched(path: Path, flags: int) -> int:
    """A descriptor of a file of ours that is there and that nobody else could write. Raises OSError.

    `open_private` takes what others could write to away from them; this one refuses it, and a folder that is a link.
    """
    with _inside(path, _check_folder, links=False) as folder:
        return _checked(_open_at(folder, path, flags | os.O_NONBLOCK), path, _check_private)


def create_private(path: Path, data: bytes, *, links: bool = True) -> None:
    """A new file of ours, on the disk; after an error there is none. Its folder may be a link only with `links`.

    Raises OSError, also where the name is taken: of two who make the same file one does.
    """
    with _inside(path, _check_folder, links=links) as folder, _new_file(folder, path.name) as file:
        file.write(data)


def read_private(path: Path, limit: int, *, of_system: bool = False) -> bytes:
    """A file that this user alone can write, of at most `limit` bytes; no link. Raises OSError.

    With `of_system` it may also be one that the system's owner alone can write, such as a policy for a whole machine.
    """
    with _inside(path, _check_folder) as folder:
        check = _check_private_or_of_system if of_system else _check_private
        descriptor = _checked(_open_at(folder, path, _READ), path, check)
    return _read(descriptor, path, limit)


def read_own(path: Path, limit: int) -> bytes:
    """A file of ours of at most `limit` bytes, closed to others now if it was not; no link. Raises OSError."""
    return _read(open_private(path, os.O_RDONLY), path, limit)


def read_trusted(path: Path, limit: int) -> bytes:
    """A file of this user's or of the system's that nobody else can write; it may stand behind a link of theirs."""
    _check_links(path)
    real = Path(os.path.realpath(path))
    with _inside(real, _check_folder) as folder:
        reach = os.fstat(folder).st_mode
        descriptor = _checked(_open_at(folder, real, _READ), path, lambda info, at: _check_trusted(info, at, reach))
    return _read(descriptor, path, limit)


def append_private(path: Path, data: bytes) -> None:
    """Add to the end of a file of ours and wait until the disk has it. Raises OSError."""
    descriptor = open_private(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Put a whole file in place of the one that is there, if any: 0600, at once, on the disk. Raises OSError."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, *, own_folder: bool = True) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when it is whole; after an error nothing has changed.

    A link that stands there is replaced, not followed. With `own_folder` off it may be a folder that people share, such
    as one that was named for an export. Raises OSError.
    """
    with _inside(path, _check_folder if own_folder else _check_nothing) as folder:
        # A name that nobody can guess, made anew: in a shared folder somebody might have put a link there.
        part = f".{path.name[:100]}.{os.urandom(8).hex()}"
        with _new_file(folder, part, path.name) as file:
            yield file


def check_absent_or_own(path: Path) -> None:
    """Refuse what another program will open by its name later, such as a journal, where it is not a file of ours."""
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return
    _check_owned_file(info, path)


# --- opening ---------------------------------------------------------------------------------------------------------


@contextmanager
def _new_file(folder: int, name: str, last: str | None = None) -> Iterator[BinaryIO]:
    """A file to write, made for us alone, that gets its `last` name once it is on the disk; gone after an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=folder)
    with ExitStack() as on_error:
        on_error.callback(_remove, folder, name)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _FILE_MODE)
            yield file
            file.flush()
            os.fsync(descriptor)
        if last is not None:
            os.replace(name, last, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        on_error.pop_all()


def _remove(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


@contextmanager
def _inside(path: Path, check: Check, *, links: bool = True) -> Iterator[int]:
    """The folder of a file, open and looked at; itself it may be a link only with `links`."""
    parent = path.parent
    if check is not _check_nothing:
        _check_links(parent)
    flags = _READ | os.O_DIRECTORY | (0 if links else os.O_NOFOLLOW)
    descriptor = _checked(os.open(parent, flags), parent, check)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_at(folder: int, path: Path, flags: int) -> int:
    if not path.name or path.name == "..":
        raise NotPrivate("is no file", path)
    try:
        return os.open(path.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPrivate(_LINK, path) from error
        raise


def _open_below(folder: int, path: Path, flags: int) -> int:
    # Without O_NONBLOCK a pipe that somebody put there would be waited for.
    descriptor = _checked(_open_at(folder, path, flags | os.O_NONBLOCK), path, _check_owned_file)
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != _FILE_MODE:
        os.fchmod(descriptor, _FILE_MODE)
    return descriptor


def _checked(descriptor: int, path: Path, check: Check) -> int:
    try:
        check(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _read(descriptor: int, path: Path, limit: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise OSError(errno.EFBIG, f"is larger than {limit / 1000:g} kB", str(path))
    return raw


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


# --- looking ---------------------------------------------------------------------------------------------------------


def _check_links(path: Path, followed: int = 0) -> None:
    """Refuse a way that leads through a link of somebody else's. What is missing is left to whoever opens it."""
    here = Path("/")
    for part in path.absolute().parts:
        here = here / part
        try:
            info = os.lstat(here)
            target = os.readlink(here) if stat.S_ISLNK(info.st_mode) else None
        except OSError:
            return
        if target is not None:
            if info.st_uid not in _trusted_users() or followed >= _MOST_LINKS:
                raise NotPrivate(_FOREIGN_LINK, path)
            _check_links(here.parent / target, followed + 1)


def _trusted_users() -> frozenset[int]:
    """Us and the system; in a container whose users are mapped, root is whoever owns the root of the file system."""
    return frozenset({os.geteuid(), 0, os.stat("/").st_uid})


def _check_nothing(info: os.stat_result, path: Path) -> None:
    """The person named this folder, and may share it."""


def _check_own_folder(info: os.stat_result, path: Path) -> None:
    if info.st_uid != os.geteuid():
        raise NotPrivate(_FOREIGN, path)
    if info.st_mode & _BY_OTHERS:
        raise NotPrivate(_open_to_others(info), path)


def _check_folder(info: os.stat_result, path: Path) -> None:
    """A folder where nobody else can put another file in the place of ours; in `/tmp` each has their own."""
    if info.st_uid not in _trusted_users():
        raise NotPrivate(f"is in the folder {path}, which {_FOREIGN}", path)
    if info.st_mode & _BY_OTHERS and not info.st_mode & stat.S_ISVTX:
        raise NotPrivate(f"is in the folder {path}, which {_open_to_others(info)}", path)


def _check_owned_file(info: os.stat_result, path: Path) -> None:
    if stat.S_ISLNK(info.st_mode):
        raise NotPrivate(_LINK, path)
    if not stat.S_ISREG(info.st_mode):
        raise NotPrivate("is no regular file", path)
    if info.st_uid != os.geteuid():
        raise NotPrivate(_FOREIGN, path)


def _check_private(info: os.stat_result, path: Path) -> None:
    _check_owned_file(info, path)
    _check_closed(info, path)


def _check_private_or_of_system(info: os.stat_result, path: Path) -> None:
    _check_trusted_owner(info, path)
    _check_closed(info, path)


def _check_closed(info: os.stat_result, path: Path) -> None:
    if info.st_mode & _BY_OTHERS:
        raise NotPrivate(_open_to_others(info), path)


def _check_trusted_owner(info: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise NotPrivate("is no regular file", path)
    if info.st_uid not in _trusted_users():
        raise NotPrivate(_FOREIGN, path)


def _check_trusted(info: os.stat_result, path: Path, folder_mode: int) -> None:
    _check_trusted_owner(info, path)
    # Many systems make files that the group may write; in a folder that the group cannot enter that is no way in.
    by_group = info.st_mode & stat.S_IWGRP and folder_mode & stat.S_IXGRP
    by_all = info.st_mode & stat.S_IWOTH and folder_mode & stat.S_IXOTH
    if by_group or by_all:
        raise NotPrivate(_open_to_others(info), path)


def _open_to_others(info: os.stat_result) -> str:
    # Others may well read what is meant for a whole machine.
    return f"can be written by others (mode {stat.S_IMODE(info.st_mode):o}); chmod go-w it"
