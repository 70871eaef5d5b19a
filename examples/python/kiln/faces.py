"""Faces in pictures: found, and turned upright for a network."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import numpy as np

from ._closing import Holder
from ._native import call, ffi, lib, options, owned, text
from .errors import ArgumentError
from .model import PlanLike, as_plan
from .pictures import Picture, Pixels, as_pixels, image_of
from .plan import Plan


@dataclass(frozen=True)
class Face:
    """In pixels of the picture, x to the right and y down; may lie outside of it."""

    left: float
    top: float
    right: float
    bottom: float
    score: float  # 0..1
    # [5, 2]: eye left in the picture, other eye, tip of the nose, left and right corner of the
    # mouth. None where the detector gives none.
    points: Optional[np.ndarray[Any, np.dtype[np.float32]]] = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        return (self.left, self.top, self.right, self.bottom)


def face_of(found: Any) -> Face:
    points = None
    if found.point_count:
        points = np.array([list(point) for point in found.points], np.float32)
    return Face(found.left, found.top, found.right, found.bottom, found.score, points)


def face_struct(face: Face) -> Any:
    members = dict(zip(("left", "top", "right", "bottom"), face.box), score=face.score)
    if face.points is not None:
        members.update(point_count=len(face.points), points=np.asarray(face.points).tolist())
    return ffi.new("kiln_face *", members)


class Faces(Holder):
    """A face detector: SCRFD, RetinaFace, YuNet, UltraFace or BlazeFace, which its outputs tell.

    Threads as in Session: one at a time, others wait; the interpreter's lock is released.

    detector: a plan (file, bytes or Plan) of such a network, or one of a classifier that kiln train
    made with its detector inside (--bundle).
    score, overlap: thresholds, 0..1; 0: the family's.
    once: never looks a second time, at half the size or in quarters, where it has found nothing.
    most: faces that are found in a picture at most.
    """

    _kind = "detector"

    def __init__(
        self,
        detector: PlanLike,
        *,
        threads: int = 1,
        score: float = 0,
        overlap: float = 0,
        once: bool = False,
        most: int = 64,
    ) -> None:
        plan = as_plan(detector)
        chosen = options(
            "kiln_detector_options", threads=threads, score=score, overlap=overlap, once=once
        )
        inside = _record(plan).bundled
        create = lib.kiln_detector_open_bundled if inside else lib.kiln_detector_create
        out = ffi.new("kiln_detector **")
        call(create, plan.handle, chosen, out)
        self._handle = owned(out[0], lib.kiln_detector_destroy, plan.handle)
        self._lock = threading.Lock()
        self._found = ffi.new("kiln_face[]", most)

    @property
    def family(self) -> str:
        info = ffi.new("kiln_detector_info *")
        lib.kiln_detector_describe(self.handle, info)
        return text(info.family)

    def close(self) -> None:
        with self._lock:
            self._handle = None

    def find(self, picture: Picture, order: str = "rgb") -> list[Face]:
        """By falling score. picture: uint8 [height, width, 3] (or 4, 1, none), or a file."""
        pixels = as_pixels(picture)
        image, count = image_of(pixels, order), ffi.new("size_t *")
        with self._lock:
            found = self._found
            call(lib.kiln_detector_find, self.handle, image, found, len(found), count)
            return [face_of(found[k]) for k in range(count[0])]


def detector_of(
    plan: Plan, detector: Union[PlanLike, Faces, Literal[False], None], threads: int
) -> Optional[Faces]:
    """The detector that is given (False: none), or else the one that a network was trained with."""
    if isinstance(detector, Faces):
        return detector
    if detector is not None:
        return None if detector is False else Faces(detector, threads=threads)
    record = _record(plan)
    if record.present and not record.bundled:
        name = text(record.record.name)
        raise ArgumentError(f"{plan.name} was trained on faces that {name} found: give detector=")
    return Faces(plan, threads=threads) if record.present else None


def _record(plan: Plan) -> Any:
    record = ffi.new("kiln_plan_detector *")
    call(lib.kiln_plan_find_detector, plan.handle, record)
    return record


def crop_face(
    picture: Picture, face: Face, *, width: int = 112, height: int = 112, order: str = "rgb"
) -> Pixels:
    """The face upright, by the template of ArcFace: uint8 [height, width, 3], RGB."""
    pixels = as_pixels(picture)
    cropped = np.empty((height, width, 3), np.uint8)
    target = ffi.cast("uint8_t *", cropped.ctypes.data)
    call(lib.kiln_face_crop, image_of(pixels, order), face_struct(face), width, height, target)
    return cropped
