"""Sessions: plans that are set up to run."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from ._closing import Holder
from ._native import buffer, call, ffi, lib, options, owned, text
from .plan import Plan, Tensor, tensor_of

Array = np.ndarray[Any, Any]
Arrays = Union[Array, Sequence[Array], Mapping[str, Array]]


@dataclass(frozen=True)
class Step:
    """A kernel call of the network: one layer, or several that were fused."""

    name: str
    kernel: str
    outputs: tuple[Tensor, ...]  # but for images of which only some rows are kept at a time
    macs: int  # multiply-accumulates, for one sample
    seconds: float  # mean over the runs so far; 0 unless the session measures (profile=True)


def _in_order(arrays: Arrays, tensors: Sequence[Tensor], what: str) -> list[Array]:
    if isinstance(arrays, np.ndarray):
        arrays = [arrays]
    if isinstance(arrays, Mapping):
        names = [t.name for t in tensors]
        if set(arrays) != set(names):
            raise ValueError(f"{what}s named {sorted(arrays)}; the plan's are {names}")
        arrays = [arrays[name] for name in names]
    if len(arrays) != len(tensors):
        raise ValueError(f"{len(arrays)} {what}s; the plan has {len(tensors)}")
    return [np.asarray(array) for array in arrays]


def _batch_of(arrays: Sequence[Array], tensors: Sequence[Tensor]) -> int:
    for array, tensor in zip(arrays, tensors):
        if tensor.batched and array.ndim and tensor.shape[0]:
            return int(array.shape[0]) // tensor.shape[0]
    return 1


def _check(array: Array, tensor: Tensor, batch: int, what: str) -> None:
    shape = tensor.shape_of(batch)
    if array.dtype != tensor.dtype or array.shape != shape:
        raise ValueError(
            f"{what} {tensor.name}: {array.dtype} {array.shape}; expected {tensor.dtype} {shape}"
            + (" with any multiple of the first" if tensor.batched else "")
        )


class Session(Holder):
    """Runs a plan. Arrays are passed as they lie in memory, in and out: nothing is copied, unless an
    input is not contiguous.

    A session computes for one thread at a time: another that calls it meanwhile waits. The
    interpreter's lock is released while it computes. For throughput give each thread a session of
    one thread: the plan's weights are shared. After os.fork() a session of several threads has
    lost them, and computes on one: make sessions in the process that uses them.

    threads: that it computes on, the caller's included.
    max_batch: samples of the largest run.
    memory_limit: refuses to need more bytes than that (Plan.memory). 0: none.
    profile: measures each step.
    """

    _kind = "session"

    def __init__(
        self,
        plan: Plan,
        *,
        threads: int = 1,
        max_batch: int = 1,
        memory_limit: int = 0,
        profile: bool = False,
    ) -> None:
        chosen = options(
            "kiln_session_options",
            threads=threads,
            max_batch=max_batch,
            memory_limit=memory_limit,
            profile=profile,
        )
        out = ffi.new("kiln_session **")
        call(lib.kiln_session_create, plan.handle, chosen, out)
        self._handle = owned(out[0], lib.kiln_session_destroy, plan.handle)
        self._lock = threading.Lock()
        self.plan = plan
        self._captures: dict[str, Array] = {}
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self.max_batch = max_batch

    def close(self) -> None:
        """Gives its memory back; waits for a run in progress."""
        with self._lock:
            self._handle = None

    def run(self, inputs: Arrays, outputs: Optional[Arrays] = None) -> list[Array]:
        """Runs as many samples as the inputs hold (at most max_batch) and returns the outputs.

        inputs, outputs: an array, several in the plan's order, or by name; exactly of the plan's
        types and shapes. Outputs that are given are written to (C-contiguous, writable), and
        returned; otherwise they are made."""
        given = _in_order(inputs, self.inputs, "input")
        batch = _batch_of(given, self.inputs)
        for array, tensor in zip(given, self.inputs):
            _check(array, tensor, batch, "input")
        given = [np.ascontiguousarray(array) for array in given]
        if outputs is None:
            made = [np.empty(tensor.shape_of(batch), tensor.dtype) for tensor in self.outputs]
        else:
            made = _in_order(outputs, self.outputs, "output")
            for array, tensor in zip(made, self.outputs):
                _check(array, tensor, batch, "output")
                if not array.flags.c_contiguous:
                    raise ValueError(f"output {tensor.name}: not C-contiguous")
        sources = ffi.new("kiln_buffer[]", [buffer(array) for array in given])
        targets = ffi.new("kiln_buffer[]", [buffer(array, writable=True) for array in made])
        with self._lock:
            call(lib.kiln_session_run, self.handle, batch, sources, len(given), targets, len(made))
        return made

    def capture(self, name: str, array: Array) -> None:
        """Each following run copies the intermediate tensor of this name to `array`, too, which has
        room for max_batch samples of it: its own type, C-contiguous."""
        if not array.flags.c_contiguous:
            raise ValueError(f"capture of {name}: not C-contiguous")
        with self._lock:
            call(lib.kiln_session_capture, self.handle, name.encode(), buffer(array, writable=True))
            self._captures[name] = array  # as long as runs write to it

    def cancel(self) -> None:
        """Ends the run in progress, or else the next, with CancelledError. From any thread."""
        lib.kiln_session_cancel(self.handle)

    @property
    def arena_bytes(self) -> int:
        return int(lib.kiln_session_arena_bytes(self.handle))

    def steps(self) -> list[Step]:
        """What is run, in order, and how long it took (profile=True)."""
        found = []
        profile, info = ffi.new("kiln_step_profile *"), ffi.new("kiln_tensor_info *")
        with self._lock:
            for step in range(lib.kiln_session_step_count(self.handle)):
                lib.kiln_session_profile(self.handle, step, profile)
                outputs = []
                for k in range(lib.kiln_session_step_output_count(self.handle, step)):
                    if lib.kiln_session_step_output(self.handle, step, k, info) == lib.KILN_OK:
                        outputs.append(tensor_of(info))
                seconds = profile.nanoseconds / 1e9 / max(1, profile.runs)
                name, kernel = text(profile.name), text(profile.kernel)
                found.append(Step(name, kernel, tuple(outputs), profile.macs, seconds))
        return found
