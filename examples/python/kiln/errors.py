"""Exceptions: one class a kiln_status, each with Kiln's one line of detail."""


class Error(Exception):
    """Whatever Kiln refuses or fails at."""


class ArgumentError(Error, ValueError):
    """A parameter is wrong: out of range, of a wrong shape, not this plan's."""


class FileError(Error, OSError):
    """A file could not be opened, read, mapped or written."""


class FormatError(Error, ValueError):
    """A file is damaged, or is not what it should be."""


class UnsupportedError(Error, ValueError):
    """Valid, but outside of what Kiln supports."""


class OutOfMemoryError(Error, MemoryError):
    """Out of memory, or over the limit that was set."""


class MismatchError(Error):
    """Results differ from what was expected."""


class InternalError(Error, RuntimeError):
    """The system refused something that should work."""


class CancelledError(Error):
    """The run was ended by Session.cancel."""


class CompileWarning(UserWarning):
    """What the compiler has to say of a model that it compiled all the same."""


# By kiln_status.
CLASSES: dict[int, type[Error]] = {
    1: ArgumentError,
    2: FileError,
    3: FormatError,
    4: UnsupportedError,
    5: OutOfMemoryError,
    6: MismatchError,
    7: InternalError,
    8: CancelledError,
}
