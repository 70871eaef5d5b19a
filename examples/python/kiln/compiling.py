"""ONNX to plan."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from ._native import DTYPES, PathLike, call, ffi, lib, options, path_bytes, text
from .errors import CompileWarning
from .plan import Plan

_CONVOLUTIONS = ("auto", "exact", "winograd_2", "winograd_4", "winograd_6", "direct")
_MEMORIES = ("balanced", "min", "speed")
_WEIGHTS = {"f32": lib.KILN_F32, "f16": lib.KILN_F16}

Shape = Sequence[Optional[int]]


@dataclass(frozen=True)
class CompileReport:
    """What the compiler did."""

    operators_imported: int  # nodes of the ONNX graph
    operators_planned: int  # steps of the plan
    fusions: tuple[tuple[str, int], ...]  # passes, and how often they applied
    plan_bytes: int
    weights_bytes: int  # stored, identical ones once
    arena_bytes: int  # activations, one sample
    arena_lower_bound_bytes: int
    memory_total_bytes: int  # with scratch and heap, one thread, one sample
    batchable: bool
    note: str  # what a user should know, or ""


def _report_of(report: Any) -> CompileReport:
    rows = [report.fusions[k] for k in range(report.fusion_count)]
    fusions = tuple((text(getattr(row, "pass")), row.rewrites) for row in rows)
    return CompileReport(
        report.operators_imported,
        report.operators_planned,
        fusions,
        report.plan_bytes,
        report.weights_bytes,
        report.arena_bytes,
        report.arena_lower_bound_bytes,
        report.memory_total_bytes,
        bool(report.batchable),
        text(report.note),
    )


def _choice(value: str, choices: Sequence[str], what: str) -> int:
    if value not in choices:
        raise ValueError(f'{what} "{value}"; expected one of {", ".join(choices)}')
    return list(choices).index(value)


def _value(name: str, given: Union[Shape, np.ndarray[Any, Any]], keep: list[Any]) -> dict[str, Any]:
    """A kiln_value: a shape, None standing for the batch, or an input's value."""
    keep.append(ffi.new("char[]", name.encode()))
    value: dict[str, Any] = {"name": keep[-1]}
    if isinstance(given, np.ndarray):
        types = [kind for kind, dtype in DTYPES.items() if dtype == given.dtype]
        if not types:
            raise ValueError(f"input {name}: {given.dtype}")
        keep.append(np.ascontiguousarray(given))
        value.update(dtype=types[0], data=ffi.cast("void *", keep[-1].ctypes.data))
        given = given.shape
    else:
        value["dtype"] = lib.KILN_F32
    shape = [0 if size is None else int(size) for size in given]
    return {**value, "rank": len(shape), "dims": shape}


def _texts(given: Sequence[str], keep: list[Any]) -> Any:
    keep.extend(ffi.new("char[]", one.encode()) for one in given)
    keep.append(ffi.new("char *[]", keep[len(keep) - len(given) :]))
    return keep[-1]


def compile(
    model: Any,
    output: Optional[PathLike] = None,
    *,
    inputs: Optional[Mapping[str, Union[Shape, np.ndarray[Any, Any]]]] = None,
    part_inputs: Sequence[str] = (),
    part_outputs: Sequence[str] = (),
    weights: str = "f32",
    labels: Sequence[str] = (),
    preprocess: Optional[str] = None,
    convolution: str = "auto",
    memory: str = "balanced",
    memory_limit: int = 0,
) -> Plan:
    """Compiles an ONNX model, and opens the plan; plan.report says what was done.

    model: a file; the bytes of one; or an onnx.ModelProto.
    output: where the plan is to be (written beside it, then renamed). None: only in memory.
    inputs: shapes by name, (None, 3, 224, 224) leaving the batch to sessions, or values of inputs.
    part_inputs, part_outputs: names of tensors between which the model is taken; none: its own.
    weights: "f32", or "f16", which halves the file.
    labels: of the classes.
    preprocess: how pictures become input: "imagenet" (torchvision's mean and deviation), "caffe"
    (BGR minus mean), "tf" (-1..1), "none" (0..255).
    convolution: "auto", "exact" (never Winograd's), "winograd_2", "_4", "_6", "direct".
    memory: "balanced", "min", "speed".
    memory_limit: bytes that a session may need; more is an error.
    """
    if weights not in _WEIGHTS:
        raise ValueError(f'weights "{weights}"; expected "f32" or "f16"')
    keep: list[Any] = []
    values = [_value(name, given, keep) for name, given in (inputs or {}).items()]
    keep.append(ffi.new("kiln_value[]", values))
    chosen = options(
        "kiln_compile_options",
        inputs=keep[-1],
        input_count=len(values),
        part_inputs=_texts(part_inputs, keep),
        part_input_count=len(part_inputs),
        part_outputs=_texts(part_outputs, keep),
        part_output_count=len(part_outputs),
        weights=_WEIGHTS[weights],
        labels=_texts(labels, keep),
        label_count=len(labels),
        convolution=_choice(convolution, _CONVOLUTIONS, "convolution"),
        memory=_choice(memory, _MEMORIES, "memory"),
        memory_limit=memory_limit,
    )
    if preprocess is not None and lib.kiln_preprocess_preset(
        preprocess.encode(), ffi.addressof(chosen.preprocess)
    ):
        raise ValueError(f'preprocess "{preprocess}"; expected imagenet, caffe, tf or none')
    with tempfile.TemporaryDirectory(prefix="kiln") as folder:
        if hasattr(model, "SerializeToString"):
            model = model.SerializeToString()
        if isinstance(model, bytes):
            content, model = model, os.path.join(folder, "model.onnx")
            with open(model, "wb") as file:
                file.write(content)
        # The plan stays mapped when its file is removed with the folder.
        target = os.path.join(folder, "model.plan") if output is None else output
        report = ffi.new("kiln_compile_report *")
        call(lib.kiln_compile, path_bytes(model), path_bytes(target), chosen, report)
        plan = Plan(target)
    plan.report = _report_of(report)
    if plan.report.note:
        warnings.warn(plan.report.note, CompileWarning, stacklevel=2)
    return plan
