"""Pictures, or the faces in them, as vectors and as names."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Optional, Union

import numpy as np

from ._closing import Closing
from ._native import PathLike, buffer, call, error_of, ffi, lib, owned
from .errors import ArgumentError, Error, UnsupportedError
from .faces import Face, Faces, detector_of, face_struct
from .model import PlanLike, as_plan
from .pictures import Encoded, Picture, Pixels, as_pixels, image_of, picture_file
from .plan import Plan, Tensor
from .session import Array, Session

Rows = np.ndarray[Any, np.dtype[np.float32]]
Pictures = Union[Iterable[Picture], Pixels]
Which = Literal["largest", "only"]
Errors = list[Optional[Error]]
Files = Sequence[Union[PathLike, Encoded]]
# Files that are run in one call of C, which nothing interrupts.
_AT_ONCE = 64


@dataclass(frozen=True)
class Answer:
    """A class, and its number among the network's output: with a softmax, its probability."""

    label: str
    score: float


def _preprocess(plan: Plan, preset: Optional[str]) -> Any:
    chosen = ffi.new("kiln_preprocess *")
    lib.kiln_plan_preprocess(plan.handle, chosen)
    if preset is not None:
        present, resize = chosen.present, chosen.resize
        if lib.kiln_preprocess_preset(preset.encode(), chosen):
            raise ValueError(f'preprocess "{preset}"; expected imagenet, caffe, tf or none')
        chosen.resize = resize if present else chosen.resize
    elif not chosen.present:
        raise ArgumentError(
            f"{plan.name} does not say how pictures become its input: compile it with preprocess=, "
            "or give preprocess= here"
        )
    return chosen


def _most_central(faces: Sequence[Face], pixels: Pixels) -> list[Face]:
    """As kiln embed orders them: the area less twice the squared distance from the picture's middle
    (FaceNet's rule), the largest first."""

    def weight(face: Face) -> float:
        across = (face.left + face.right) / 2 - pixels.shape[1] / 2
        down = (face.top + face.bottom) / 2 - pixels.shape[0] / 2
        wide, high = face.right - face.left, face.bottom - face.top
        return float(wide * high - 2 * (across * across + down * down))

    return sorted(faces, key=weight, reverse=True)


@dataclass(frozen=True)
class Recognition:
    """What a network says of a picture."""

    face: Optional[Face]  # that was recognised; None: the whole picture was
    embedding: Rows
    answers: list[Answer]


@dataclass(frozen=True)
class Recognitions:
    """What a network says of many pictures; a row that is NaN has an error."""

    embeddings: Rows  # [pictures, size]
    scores: Rows  # [pictures, classes]: the network's output
    errors: Errors

    def best(self) -> list[int]:
        """The most probable class of each picture, whether it has an error or not."""
        return [int(k) for k in np.argmax(self.scores, axis=1)]


class _Network(NamedTuple):
    """One that is run on pictures in C."""

    session: Session
    plan: Plan  # whose output is wanted
    captured: Optional[Array] = None  # where the session before leaves it; not run then


class _Recogniser(Closing):
    """A network of one picture and one output."""

    def __init__(
        self,
        plan: Plan,
        network: Plan,
        detector: Union[PlanLike, Faces, Literal[False], None],
        faces: Which,
        preprocess: Optional[str],
        threads: int,
        batch_size: int,
    ) -> None:
        if len(network.inputs) != 1 or len(network.outputs) != 1:
            raise UnsupportedError(f"{plan.name}: expected one input and one output")
        if faces not in ("largest", "only"):
            raise ValueError(f'faces "{faces}"; expected largest or only')
        self.plan = plan
        self.detector = detector_of(plan, detector, threads)
        self._faces = faces
        self._preprocess = _preprocess(plan, preprocess)
        self._info = ffi.new("kiln_tensor_info *")
        lib.kiln_plan_input(network.handle, 0, self._info)
        call(lib.kiln_image_layout_of, self._info, ffi.new("kiln_image_layout *"))
        self.batch_size = batch_size if network.batchable else 1
        self.session = Session(network, threads=threads, max_batch=self.batch_size)
        tensor = self.session.inputs[0]
        self._input = np.empty(tensor.shape_of(self.batch_size), tensor.dtype)
        self._size = tensor.shape[0]
        self._lock = threading.Lock()
        self._reader: Any = None

    def close(self) -> None:
        self.session.close()

    def _fill(self, index: int, pixels: Pixels, face: Optional[Face], order: str) -> None:
        where = (self._info, self._preprocess, index, buffer(self._input))
        image = image_of(pixels, order)
        if face is None:
            call(lib.kiln_image_to_input, image, *where)
        else:
            call(lib.kiln_face_to_input, image, face_struct(face), *where)

    def _run(self, count: int) -> Rows:
        (made,) = self.session.run(self._input[: count * self._size])
        return made.reshape(count, -1).astype(np.float32, copy=False)

    def _subject(self, pixels: Pixels, order: str) -> Optional[Face]:
        """What of a picture counts: a face, or all of it."""
        if self.detector is None:
            return None
        found = self.detector.find(pixels, order)
        if not found or (self._faces == "only" and len(found) > 1):
            raise ArgumentError("no face found" if not found else f"{len(found)} faces found")
        return _most_central(found, pixels)[0]

    def _rows(self, pictures: Pictures, order: str) -> Rows:
        rows, filled = [], 0
        with self._lock:
            for picture in pictures:
                pixels = as_pixels(picture)
                self._fill(filled, pixels, self._subject(pixels, order), order)
                filled += 1
                if filled == self.batch_size:
                    rows.append(self._run(filled))
                    filled = 0
            if filled or not rows:
                rows.append(self._run(filled) if filled else self._none())
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _run_files(self, files: Files, wanted: Sequence[_Network]) -> tuple[list[Rows], Errors]:
        """What networks make of picture files, all in C, whose rows are those of `kiln embed`."""
        networks = ffi.new("kiln_reader_network[]", len(wanted))
        made: list[Rows] = []
        for network, (session, plan, captured) in zip(networks, wanted):
            network.session = session.handle
            if captured is not None:
                network.captured = ffi.cast("void *", captured.ctypes.data)
            lib.kiln_plan_output(plan.handle, 0, ffi.addressof(network, "output"))
            made.append(np.empty((len(files), int(np.prod(plan.outputs[0].shape))), np.float32))
        errors = ffi.new("kiln_error[]", _AT_ONCE)
        told: Errors = []
        locks = [self._lock, *(n.session._lock for n in wanted if n.captured is None)]
        with ExitStack() as stack:
            for lock in locks + ([self.detector._lock] if self.detector else []):
                stack.enter_context(lock)
            if self._reader is None:
                self._reader = self._new_reader()
            for start in range(0, len(files), _AT_ONCE):
                keep: list[Any] = []
                some = [picture_file(file, keep) for file in files[start : start + _AT_ONCE]]
                for network, rows in zip(networks, made):
                    network.rows = ffi.cast("float *", rows[start:].ctypes.data)
                given = ffi.new("kiln_picture_file[]", some)
                call(
                    lib.kiln_reader_run,
                    *(self._reader, given, len(some), networks, len(networks), errors),
                )
                told += [error_of(errors[k]) for k in range(len(some))]
        return made, told

    def _new_reader(self) -> Any:
        out = ffi.new("kiln_reader **")
        detector = ffi.NULL if self.detector is None else self.detector.handle
        only = self._faces == "only"
        call(lib.kiln_reader_create, detector, only, self._info, self._preprocess, out)
        return owned(out[0], lib.kiln_reader_destroy, detector)

    def _none(self) -> Rows:
        tensor = self.session.outputs[0]
        return np.empty((0, int(np.prod(tensor.shape))), np.float32)

    def _face_rows(self, picture: Picture, order: str) -> tuple[list[Face], Rows]:
        """All faces of a picture, the largest near the middle first."""
        if self.detector is None:
            raise ValueError("there is no face detector: give detector=")
        pixels = as_pixels(picture)
        found = _most_central(self.detector.find(pixels, order), pixels)
        rows = [self._none()]
        with self._lock:
            for start in range(0, len(found), self.batch_size):
                some = found[start : start + self.batch_size]
                for index, face in enumerate(some):
                    self._fill(index, pixels, face, order)
                rows.append(self._run(len(some)))
        return found, np.concatenate(rows)


class Embedder(_Recogniser):
    """Pictures, or the faces in them, as vectors: what the network computes before its final dense
    layers (of a network without such layers: its output). As `kiln embed`, number for number, from
    the same pixels.

    Threads as in Session: one at a time, others wait.

    plan: a file, the bytes of one, a Plan, or an ONNX file.
    layer: another layer.
    detector: a face detector (a plan, an ONNX file, or Faces); None: the plan's own, where it has
    one; False: whole pictures.
    faces: which face of a picture counts: "largest" near the middle, or the "only" one.
    normalize: vectors of length 1.
    preprocess: "imagenet", "caffe", "tf", "none", where the plan says nothing or something else.
    batch_size: pictures that are run at once.
    prepacked: as in Plan.
    """

    def __init__(
        self,
        plan: PlanLike,
        *,
        layer: Optional[str] = None,
        detector: Union[PlanLike, Faces, Literal[False], None] = None,
        faces: Which = "largest",
        normalize: bool = False,
        preprocess: Optional[str] = None,
        threads: int = 1,
        batch_size: int = 8,
        prepacked: Optional[PathLike] = None,
    ) -> None:
        opened = as_plan(plan, prepacked=prepacked)
        super().__init__(
            opened, opened.cut(layer), detector, faces, preprocess, threads, batch_size
        )
        self.normalize = normalize

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(np.prod(self.session.outputs[0].shape))

    def _finish(self, rows: Rows) -> Rows:
        if not self.normalize or not len(rows):
            return rows
        wide = rows.astype(np.float64)
        length = np.sqrt(np.cumsum(wide * wide, axis=1)[:, -1:])  # summed in order, as in C
        np.divide(wide, length, out=wide, where=length > 0)
        return wide.astype(np.float32)

    def predict(self, pictures: Pictures, *, order: str = "rgb") -> Rows:
        """[pictures, size]. Pictures: files, their bytes, or uint8 arrays [height, width, 3] (4 with
        alpha; 2 dimensions: gray), whose channels are in the order "rgb" or "bgr"."""
        return self._finish(self._rows(pictures, order))

    def embed(self, picture: Picture, *, order: str = "rgb") -> Rows:
        """[size]: one picture's vector."""
        row: Rows = self.predict([picture], order=order)[0]
        return row

    def embed_files(self, paths: Sequence[PathLike]) -> tuple[Rows, Errors]:
        """[pictures, size], and an error or None a picture; a row with an error is NaN.

        All of it is done in C, for many pictures at once, with the interpreter's lock released; a
        picture that cannot be read, or shows no face, spoils no other."""
        (rows,), errors = self._run_files(paths, [_Network(self.session, self.session.plan)])
        return self._finish(rows), errors

    def embed_encoded(self, pictures: Sequence[Encoded]) -> tuple[Rows, Errors]:
        """As embed_files, of what is in such files; it is not copied."""
        (rows,), errors = self._run_files(pictures, [_Network(self.session, self.session.plan)])
        return self._finish(rows), errors

    def embed_faces(self, picture: Picture, *, order: str = "rgb") -> list[tuple[Face, Rows]]:
        """Of all faces in a picture, the largest near the middle first."""
        found, rows = self._face_rows(picture, order)
        return list(zip(found, self._finish(rows)))


class Classifier(_Recogniser):
    """Pictures, or the faces in them, as classes. Parameters as of Embedder."""

    def __init__(
        self,
        plan: PlanLike,
        *,
        detector: Union[PlanLike, Faces, Literal[False], None] = None,
        faces: Which = "largest",
        preprocess: Optional[str] = None,
        threads: int = 1,
        batch_size: int = 8,
        prepacked: Optional[PathLike] = None,
    ) -> None:
        opened = as_plan(plan, prepacked=prepacked)
        super().__init__(opened, opened, detector, faces, preprocess, threads, batch_size)
        self._features: Optional[_Network] = None
        count = int(np.prod(self.session.outputs[0].shape))
        self.labels = opened.labels or tuple(f"class {k}" for k in range(count))
        if len(self.labels) != count:
            raise UnsupportedError(f"{opened.name}: {count} numbers, {len(self.labels)} labels")

    def predict(self, pictures: Pictures, *, order: str = "rgb") -> Rows:
        """[pictures, classes]: the network's output."""
        return self._rows(pictures, order)

    def _best(self, row: Rows, top: int) -> list[Answer]:
        order = np.argsort(-row, kind="stable")[:top]
        return [Answer(self.labels[k], float(row[k])) for k in order]

    def classify(self, picture: Picture, *, top: int = 5, order: str = "rgb") -> list[Answer]:
        """The most probable classes of a picture, the best first."""
        return self._best(self.predict([picture], order=order)[0], top)

    def recognise(self, picture: Picture, *, top: int = 1, order: str = "rgb") -> Recognition:
        """A picture's classes and its vector (that of Embedder): the picture is read, and its face
        found, once."""
        pixels, network = as_pixels(picture), self._feature_network()
        with self._lock:
            face = self._subject(pixels, order)
            self._fill(0, pixels, face, order)
            answers = self._best(self._run(1)[0], top)
            if network.captured is not None:
                features = network.captured[: network.plan.outputs[0].shape[0]]
            else:
                (features,) = network.session.run(self._input[: self._size])
            return Recognition(face, features.reshape(-1).astype(np.float32), answers)

    def _feature_network(self) -> _Network:
        """What each run of the whole network leaves of its features; or, where no step of it makes
        them, the network up to them."""
        if self._features is None:
            cut = self.plan.cut()
            apart = Session(cut)
            self._features = self._captured(cut, apart) or _Network(apart, cut)
        return self._features

    def _captured(self, cut: Plan, apart: Session) -> Optional[_Network]:
        # Each step serves the last one, which copies features to where they are wanted.
        made = [t for step in apart.steps() if step.kernel != "copy" for t in step.outputs]
        size = np.prod(cut.outputs[0].shape)
        if not made or made[-1].dtype != np.float32 or np.prod(made[-1].shape) != size:
            return None
        array = np.empty(made[-1].shape_of(self.batch_size), np.float32)
        try:
            self.session.capture(made[-1].name, array)
        except ArgumentError:
            return None
        return _Network(self.session, cut, array)

    def recognise_files(self, paths: Sequence[PathLike]) -> Recognitions:
        """Vectors and scores of many pictures, as Embedder.embed_files makes them."""
        return self._recognitions(paths)

    def recognise_encoded(self, pictures: Sequence[Encoded]) -> Recognitions:
        """As recognise_files, of what is in such files."""
        return self._recognitions(pictures)

    def _recognitions(self, files: Files) -> Recognitions:
        whole = _Network(self.session, self.plan)
        (scores, features), errors = self._run_files(files, [whole, self._feature_network()])
        return Recognitions(features, scores, errors)

    def classify_faces(
        self, picture: Picture, *, top: int = 1, order: str = "rgb"
    ) -> list[tuple[Face, list[Answer]]]:
        """Of all faces in a picture, the largest near the middle first."""
        found, rows = self._face_rows(picture, order)
        return [(face, self._best(row, top)) for face, row in zip(found, rows)]
