"""Networks as Keras has them: predict on any number of samples, and a summary."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable, Optional, Union

import numpy as np

from ._closing import Closing
from ._native import PathLike
from .compiling import compile
from .plan import Plan, Tensor
from .session import Array, Session, _in_order

PlanLike = Union[Plan, PathLike, bytes]


def as_plan(plan: PlanLike, **options: Any) -> Plan:
    """A plan as it is, or opened; one that is still an ONNX file is compiled in memory."""
    if isinstance(plan, Plan):
        return plan
    if not isinstance(plan, bytes) and os.fspath(plan).endswith(".onnx"):
        return compile(plan)
    return Plan(plan, **options)


class Model(Closing):
    """A plan with a session, for arrays of any number of samples and of any type that converts.

    Threads as in Session: one at a time, others wait.

    plan: a file, the bytes of one, or a Plan; an ONNX file, too, which is compiled in memory.
    threads: of the session.
    batch_size: samples that are run at once, where the plan can run more than one.
    prepacked: as in Plan, where the plan is a file.
    """

    def __init__(
        self,
        plan: PlanLike,
        *,
        threads: int = 1,
        batch_size: int = 32,
        prepacked: Optional[PathLike] = None,
    ) -> None:
        self.plan = as_plan(plan, prepacked=prepacked)
        self.batch_size = batch_size if self.plan.batchable else 1
        self.session = Session(self.plan, threads=threads, max_batch=self.batch_size)

    @property
    def input_shape(self) -> tuple[Optional[int], ...]:
        """Of the first input, None standing for the number of samples."""
        tensor = self.session.inputs[0]
        return (None, *tensor.shape[1:]) if self.plan.batchable else tensor.shape

    @property
    def output_shape(self) -> tuple[Optional[int], ...]:
        tensor = self.session.outputs[-1]
        return (None, *tensor.shape[1:]) if self.plan.batchable else tensor.shape

    def close(self) -> None:
        self.session.close()
        self.plan.close()

    def predict(
        self, x: Union[Array, Sequence[Array], Mapping[str, Array]]
    ) -> Union[Array, list[Array]]:
        """The network's output (a list where there are several) of all samples, the first dimension.

        Contiguous arrays of the network's own type are read where they lie, others converted."""
        given = [
            np.ascontiguousarray(array, dtype=tensor.dtype)
            for array, tensor in zip(_in_order_any(x, self.session), self.session.inputs)
        ]
        return self._run(given)

    __call__ = predict

    def _run(self, given: list[Array]) -> Union[Array, list[Array]]:
        inputs, outputs = self.session.inputs, self.session.outputs
        if not self.plan.batchable and all(a.shape == t.shape for a, t in zip(given, inputs)):
            made = self.session.run(given)
            return made[0] if len(made) == 1 else made
        count = self._count(given)
        made = [np.empty(t.shape_of(count), t.dtype) for t in self._samples(outputs)]
        for start in range(0, count, self.batch_size):
            end = min(count, start + self.batch_size)
            self.session.run(
                _slices(given, self._samples(inputs), start, end),
                _slices(made, self._samples(outputs), start, end),
            )
        return made[0] if len(made) == 1 else made

    def _samples(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """A network that takes one sample only is run for each of them."""
        alone = not self.plan.batchable
        return [replace(t, batched=t.batched or (alone and t.shape != ())) for t in tensors]

    def _count(self, given: Sequence[Array]) -> int:
        counts = set()
        for array, tensor in zip(given, self._samples(self.session.inputs)):
            rows = len(array) if array.ndim else 0
            count = rows // max(1, tensor.shape[0]) if tensor.batched else 1
            if array.shape != tensor.shape_of(count):
                expected = ("samples", *tensor.shape[1:]) if tensor.batched else tensor.shape
                raise ValueError(f"input {tensor.name}: {array.shape}; expected {expected}")
            if tensor.batched:
                counts.add(count)
        if len(counts) > 1:
            raise ValueError(f"inputs of {sorted(counts)} samples")
        return counts.pop() if counts else 1

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Prints the steps that are run, their outputs and multiply-accumulates, and the memory."""
        rows = [("Layer", "Kernel", "Output", "MACs")]
        steps = self.session.steps()
        for step in steps:
            shape = str(step.outputs[0].shape) if step.outputs else ""
            rows.append((step.name, step.kernel, shape, f"{step.macs:,}"))
        widths = [min(48, max(len(row[k]) for row in rows)) for k in range(4)]
        line = "-" * (sum(widths) + 6)
        print_fn(f"Model: {self.plan.name}\n{line}")
        for number, row in enumerate(rows):
            cells = [cell if len(cell) <= w else cell[: w - 3] + "..." for cell, w in zip(row, widths)]
            left = "  ".join(cell.ljust(w) for cell, w in zip(cells[:3], widths))
            print_fn(f"{left}  {cells[3].rjust(widths[3])}" + (f"\n{line}" if number == 0 else ""))
        memory = self.plan.memory(max_batch=self.batch_size)
        print_fn(line)
        print_fn(f"Multiply-accumulates a sample: {sum(step.macs for step in steps):,}")
        print_fn(f"Packed weights: {self.plan.packed_bytes:,} bytes")
        print_fn(f"Memory for {self.batch_size} samples at once: {memory.total:,} bytes")


def _in_order_any(x: Any, session: Session) -> list[Array]:
    """Sequences of numbers, too, where the network has one input."""
    if len(session.inputs) == 1 and not isinstance(x, (np.ndarray, Mapping)):
        return [np.asarray(x)]
    return _in_order(x, session.inputs, "input")


def _slices(
    arrays: Sequence[Array], tensors: Sequence[Tensor], start: int, end: int
) -> list[Array]:
    return [
        a[start * t.shape[0] : end * t.shape[0]] if t.batched else a for a, t in zip(arrays, tensors)
    ]
