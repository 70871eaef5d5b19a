"""Plans: compiled networks, as they lie in a file."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from ._closing import Holder
from ._native import DTYPES, PathLike, call, ffi, lib, optional_text, options, owned, path_bytes, text

if TYPE_CHECKING:
    from .compiling import CompileReport

_log = logging.getLogger("kiln")


@dataclass(frozen=True)
class Tensor:
    """An input or output: its name, element type and shape, as in the ONNX file (images N,C,H,W)."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]  # of one sample
    batched: bool  # a run of B samples has shape[0] * B in the place of shape[0]

    def shape_of(self, batch: int) -> tuple[int, ...]:
        """The shape in a run of so many samples."""
        return (self.shape[0] * batch, *self.shape[1:]) if self.batched else self.shape


@dataclass(frozen=True)
class Memory:
    """What a session needs besides weights, in bytes."""

    arena: int  # activations
    scratch: int  # what kernels write to while they run, as far as the arena has no room for it
    heap: int  # XNNPACK's own, about
    total: int


def tensor_of(info: Any) -> Tensor:
    shape = tuple(info.dims[k] for k in range(info.rank))
    return Tensor(text(info.name), DTYPES[info.dtype], shape, bool(info.batched))


class Plan(Holder):
    """A plan file, mapped and checked; or a plan in memory, any object with bytes, which is not copied.

    Immutable: threads may share it, and make sessions of it, without locks. Packed weights are the
    plan's: a further session takes little more than its arena. It is closed with the last session,
    network or plan cut of it; close() and `with` only say that this name for it is done with.

    prepacked: a file that keeps packed weights. The first process writes it, later ones (on this
    host) map it, so that all of them hold the weights in memory once.
    verify_weights: whether their checksums are verified when a session is made.
    read_into_memory: reads the file instead of mapping it; for files that may be cut short or
    written to while they are open, on network file systems, say.
    """

    _kind = "plan"

    report: Optional[CompileReport] = None  # of a plan that kiln.compile has just made

    def __init__(
        self,
        source: Union[PathLike, bytes, bytearray, memoryview],
        *,
        prepacked: Optional[PathLike] = None,
        verify_weights: bool = True,
        read_into_memory: bool = False,
    ) -> None:
        members: dict[str, Any] = {
            "skip_weight_checksums": not verify_weights,
            "read_into_memory": read_into_memory,
        }
        keep: list[Any] = []
        if prepacked is not None:
            path = ffi.new("char[]", path_bytes(prepacked))
            told = ffi.callback("void(void *, const char *)", lambda _, line: _log.warning(text(line)))
            members.update(prepacked_path=path, log=told)
            keep = [path, told]
        chosen, out = options("kiln_plan_options", **members), ffi.new("kiln_plan **")
        if isinstance(source, (bytes, bytearray, memoryview)):
            content = ffi.from_buffer(source)
            keep.append(content)
            self.name = "plan"
            call(lib.kiln_plan_open_memory, {"data": content, "size": len(content)}, chosen, out)
        else:
            self.name = os.path.basename(os.fspath(source))
            call(lib.kiln_plan_open, path_bytes(source), chosen, out)
        self._handle = owned(out[0], lib.kiln_plan_close, *keep)

    @classmethod
    def _of(cls, pointer: Any, name: str, *needs: Any) -> Plan:
        plan = cls.__new__(cls)
        plan.name = name
        plan._handle = owned(pointer, lib.kiln_plan_close, *needs)
        return plan

    def close(self) -> None:
        self._handle = None

    def __repr__(self) -> str:
        if self._handle is None:
            return f"<kiln.Plan {self.name}, closed>"
        ends = [", ".join(f"{t.name} {t.shape}" for t in side) for side in (self.inputs, self.outputs)]
        return f"<kiln.Plan {self.name}: {ends[0]} -> {ends[1]}>"

    def _tensors(self, count: Any, get: Any) -> tuple[Tensor, ...]:
        info, found = ffi.new("kiln_tensor_info *"), []
        for index in range(count(self.handle)):
            get(self.handle, index, info)
            found.append(tensor_of(info))
        return tuple(found)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self._tensors(lib.kiln_plan_input_count, lib.kiln_plan_input)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self._tensors(lib.kiln_plan_output_count, lib.kiln_plan_output)

    @property
    def batchable(self) -> bool:
        """Whether a session may run more than one sample at a time."""
        return bool(lib.kiln_plan_is_batchable(self.handle))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the last output; none where the plan has none."""
        count = lib.kiln_plan_label_count(self.handle)
        return tuple(text(lib.kiln_plan_label(self.handle, k)) for k in range(count))

    @property
    def packed_bytes(self) -> int:
        """Of weights in another order, which all sessions share."""
        return int(lib.kiln_plan_packed_bytes(self.handle))

    @property
    def prepacked_bytes(self) -> int:
        """Those of them that are mapped from the file of prepacked weights."""
        return int(lib.kiln_plan_prepacked_bytes(self.handle))

    def metadata(self, key: str) -> Optional[str]:
        """What the plan says under a key, such as "producer"."""
        return optional_text(lib.kiln_plan_metadata(self.handle, key.encode()))

    def memory(self, *, threads: int = 1, max_batch: int = 1) -> Memory:
        """What such a session would need; none is made."""
        use = ffi.new("kiln_memory_use *")
        chosen = options("kiln_session_options", threads=threads, max_batch=max_batch)
        call(lib.kiln_plan_memory, self.handle, chosen, use)
        return Memory(use.arena_bytes, use.scratch_bytes, use.heap_bytes, use.total_bytes)

    def cut(self, layer: Optional[str] = None) -> Plan:
        """The plan up to a tensor or layer; without a name up to what feeds the final dense layers:
        the features, for embeddings. It reads this plan's weights."""
        out = ffi.new("kiln_plan **")
        name = ffi.NULL if layer is None else layer.encode()
        call(lib.kiln_plan_cut, self.handle, name, out)
        return Plan._of(out[0], self.name, self.handle)
