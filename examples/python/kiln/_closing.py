"""What is closed by hand, or at the end of a with statement."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Closing")


class Closing:
    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Holder(Closing):
    """Of an object of the C library, until it is closed."""

    _handle: Any
    _lock: threading.Lock  # held while it computes
    _kind = ""  # for messages

    @property
    def handle(self) -> Any:
        """The object, for the C interface: a kiln_plan, kiln_session or kiln_detector."""
        if self._handle is None:
            raise ValueError(f"the {self._kind} is closed")
        return self._handle
