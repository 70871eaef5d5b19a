"""People: who is on a picture, or nobody known; made known, forgotten, renamed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import numpy as np

from ._native import PathLike, call, ffi, lib, owned, path_bytes, text
from .errors import ArgumentError, Error, UnsupportedError
from .faces import Face, Faces
from .model import PlanLike, as_plan
from .pictures import Picture, as_pixels
from .recognition import Pictures, Rows, Which, _Recogniser

UNKNOWN = "unknown"

_NOBODY = 2.0  # a similarity that nobody reaches


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as far as can be told."""

    name: str  # UNKNOWN: nobody who is known
    known: bool
    nearest: Optional[str]  # who it is, or is most similar to; None: nobody is enrolled
    similarity: float  # to that person, -1..1
    asked: float  # what it takes to be known as that person
    # The head's, of that person; None where the head does not have all people of the gallery.
    probability: Optional[float]
    face: Optional[Face]  # None: the whole picture


@dataclass(frozen=True)
class Person:
    """Somebody who is enrolled."""

    name: str
    pictures: int  # that were enrolled
    kept: int  # of which so many are kept, as features
    corrections: int  # pictures of which it was said: not this person


@dataclass(frozen=True)
class Threshold:
    """From which similarity on somebody is known."""

    similarity: float
    rate: float  # of strangers who are taken for somebody, at most
    scores: int  # impostor scores that speak for it
    people: int  # whom these are of


def similarity(a: Any, b: Any) -> float:
    """How alike two vectors are: the cosine of the angle between them, -1..1."""
    first, second = (np.ascontiguousarray(row, np.float32) for row in (a, b))
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"vectors of {first.shape} and {second.shape}")
    return float(lib.kiln_similarity(_numbers(first), _numbers(second), len(first)))


def _numbers(row: Rows) -> Any:
    """A pointer into an array, which the caller keeps alive."""
    return ffi.cast("float *", row.ctypes.data)


def _name_of(picture: Picture) -> str:
    is_path = isinstance(picture, (str, os.PathLike))
    return os.path.basename(os.fspath(picture)) if is_path else ""  # type: ignore[arg-type]


class People(_Recogniser):
    """The people whom a plan of kiln train knows, and who they are on pictures: the same as
    `kiln classify` says of the same pixels, and "unknown" for strangers. A collection of their
    names: len(people), "ada" in people, people["ada"], for name in people.

        with kiln.People("faces.plan") as people:
            for found in people.identify("party.jpg"):      # all faces, in one call
                print(found.face.box, found.name, found.similarity)
            people.enrol("ada", ["ada-1.jpg", "ada-2.jpg"])  # no old pictures, no training
            people.save("faces.plan")

    Threads as in Session: one at a time, others wait.

    plan: a file, the bytes of one, or a Plan; ArgumentError: it knows no people.
    far: the rate of strangers who may be taken for somebody, at most (0.01: one of 100; 1: nobody is
    refused); ArgumentError where so few pictures cannot vouch for it. None: 0.01, or the lowest that
    they can.
    Others as of Embedder. Changes are in memory until save.
    """

    def __init__(
        self,
        plan: PlanLike,
        *,
        far: Optional[float] = None,
        detector: Union[PlanLike, Faces, Literal[False], None] = None,
        faces: Which = "largest",
        preprocess: Optional[str] = None,
        threads: int = 1,
        batch_size: int = 8,
        prepacked: Optional[PathLike] = None,
    ) -> None:
        if far is not None and not 0 < far <= 1:
            raise ValueError(f"far {far}; expected a rate above 0, at most 1")
        opened = as_plan(plan, prepacked=prepacked)
        out, step = ffi.new("kiln_people **"), ffi.new("size_t *")
        call(lib.kiln_people_open, opened.handle, out)
        self._people: Any = owned(out[0], lib.kiln_people_close)
        call(lib.kiln_people_step, opened.handle, step)
        super().__init__(opened, opened, detector, faces, preprocess, threads, batch_size)
        self.far = far
        self._threshold: Optional[Threshold] = None
        self._classes = int(np.prod(self.session.outputs[0].shape))
        self._features = self._watch(step[0])
        with self._lock:
            self._decide()  # what cannot be promised is refused at once

    def _watch(self, step: int) -> Rows:
        """What feeds the head is copied by each run, beside the head's scores."""
        made = self.session.steps()[step].outputs[0]
        array = np.zeros(made.shape_of(self.batch_size), made.dtype)
        size = int(lib.kiln_people_feature_count(self._people))
        if made.dtype != np.float32 or array.size != self.batch_size * size:
            raise UnsupportedError(f"{self.plan.name}: its people have {size} features, not {made.shape}")
        self.session.capture(made.name, array)
        return array.reshape(self.batch_size, size)

    @property
    def _gallery(self) -> Any:
        if self._people is None:
            raise ValueError("the people are closed")
        return self._people

    def close(self) -> None:
        super().close()
        with self._lock:
            self._people = None

    # ---- Who is known -------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of their bytes."""
        with self._lock:
            count = lib.kiln_people_count(self._gallery)
            return tuple(text(lib.kiln_people_name(self._gallery, k)) for k in range(count))

    def __len__(self) -> int:
        with self._lock:
            return int(lib.kiln_people_count(self._gallery))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        with self._lock:
            return isinstance(name, str) and self._find(name) is not None

    def __getitem__(self, name: str) -> Person:
        person = ffi.new("kiln_person *")
        with self._lock:
            which = self._find(name)
            if which is None:
                raise KeyError(name)
            call(lib.kiln_people_person, self._gallery, which, person)
            return Person(text(person.name), person.pictures, person.kept, person.corrections)

    def __repr__(self) -> str:
        if self._people is None:
            return "<kiln.People, closed>"
        return f"<kiln.People {self.plan.name}: {len(self)} people>"

    @property
    def strangers(self) -> int:
        """Pictures of strangers that the threshold knows of."""
        with self._lock:
            return int(lib.kiln_people_stranger_count(self._gallery))

    @property
    def threshold(self) -> Optional[Threshold]:
        """None while there is nothing to compare with: one person, and no strangers. Nobody is known
        then."""
        with self._lock:
            return self._decide()

    def _find(self, name: str) -> Optional[int]:
        at = ffi.new("size_t *")
        found = lib.kiln_people_find(self._gallery, name.encode(), at)
        return int(at[0]) if found else None

    def _decide(self) -> Optional[Threshold]:
        """Anew where somebody has come or gone."""
        people = self._gallery
        few = lib.kiln_people_count(people) < 2 and lib.kiln_people_stranger_count(people) == 0
        if self._threshold is None and self.far == 1:
            self._threshold = Threshold(-1, 1, 0, 0)
        elif self._threshold is None and not few:
            found = ffi.new("kiln_people_threshold *")
            call(lib.kiln_people_decide, people, self.far or 0, found)
            self._threshold = Threshold(found.similarity, found.rate, found.scores, found.groups)
        return self._threshold

    # ---- Who it is ----------------------------------------------------------------------------

    def _run(self, count: int) -> Rows:
        return np.hstack([super()._run(count), self._features[:count]])

    def _none(self) -> Rows:
        return np.empty((0, self._classes + self._features.shape[1]), np.float32)

    def _identities(self, row: Rows, face: Optional[Face], top: int) -> list[Identity]:
        """Of scores, which may be none, and features: by rank."""
        row = np.ascontiguousarray(row, np.float32)
        features = row[len(row) - self._features.shape[1] :]
        scores = row[: len(row) - len(features)]
        decided = self._decide()
        threshold = decided.similarity if decided else _NOBODY
        known, count = lib.kiln_people_count(self._gallery), ffi.new("size_t *")
        if known == 0:
            return [Identity(UNKNOWN, False, None, -1, threshold, None, face)]
        verdicts = ffi.new("kiln_people_verdict[]", min(top, known))
        given = (self._gallery, _numbers(features), _numbers(scores), len(scores), threshold)
        if top == 1:
            call(lib.kiln_people_judge, *given, verdicts)
        else:
            call(lib.kiln_people_rank, *given, verdicts, len(verdicts), count)
        return [self._identity(verdict, face) for verdict in verdicts]

    def _identity(self, verdict: Any, face: Optional[Face]) -> Identity:
        nearest = text(lib.kiln_people_name(self._gallery, verdict.person))
        probability = None if math.isnan(verdict.probability) else verdict.probability
        return Identity(
            nearest if verdict.known else UNKNOWN,
            bool(verdict.known),
            nearest,
            verdict.similarity,
            verdict.asked,
            probability,
            face,
        )

    def identify(self, picture: Picture, *, order: str = "rgb") -> list[Identity]:
        """Who is on a picture: everybody, the largest face near the middle first. Without a detector
        the one whom the picture shows. Picture: as of Embedder.predict."""
        if self.detector is None:
            faces: Sequence[Optional[Face]] = [None]
            rows = self._rows([picture], order)
        else:
            faces, rows = self._face_rows(picture, order)
        with self._lock:
            return [self._identities(row, face, 1)[0] for face, row in zip(faces, rows)]

    def rank(self, picture: Picture, *, top: int = 5, order: str = "rgb") -> list[Identity]:
        """Whom a picture (the face of it that counts) may show: who it is first, then the others in
        the order in which they would be that."""
        if top < 1:
            raise ValueError(f"top {top}; expected 1 or more")
        pixels = as_pixels(picture)
        face = self._subject(pixels, order)
        with self._lock:
            self._fill(0, pixels, face, order)
            return self._identities(self._run(1)[0], face, top)

    def predict(self, pictures: Pictures, *, order: str = "rgb") -> list[str]:
        """The name of who is on each picture (the face of it that counts), or UNKNOWN; ArgumentError:
        there is no face."""
        rows = self._rows(pictures, order)
        with self._lock:
            return [self._identities(row, None, 1)[0].name for row in rows]

    def identify_features(self, features: Any) -> list[Identity]:
        """Of rows that were computed before (Embedder's, of the same plan): by similarity alone."""
        rows = self._check_rows(features)
        with self._lock:
            return [self._identities(row, None, 1)[0] for row in rows]

    def _check_rows(self, features: Any) -> Rows:
        rows = np.atleast_2d(np.ascontiguousarray(features, np.float32))
        if rows.ndim != 2 or rows.shape[1] != self._features.shape[1]:
            raise ValueError(f"features {rows.shape}; expected [pictures, {self._features.shape[1]}]")
        return rows

    def features(self, pictures: Pictures, *, order: str = "rgb") -> Rows:
        """[pictures, features]: what people are compared by."""
        return np.ascontiguousarray(self._rows(pictures, order)[:, self._classes :])

    # ---- Changing it --------------------------------------------------------------------------

    def enrol(self, name: str, pictures: Union[Picture, Pictures], *, order: str = "rgb") -> Person:
        """Makes somebody known, or better known: a picture or several, each by the face of it that
        counts. A picture that is none, or shows no face, is told, and nobody is enrolled then."""
        single = isinstance(pictures, (str, bytes, os.PathLike)) or hasattr(pictures, "read")
        if single or (isinstance(pictures, np.ndarray) and pictures.dtype == np.uint8 and pictures.ndim < 4):
            pictures = [pictures]  # type: ignore[list-item]
        rows, names = [], []
        for number, picture in enumerate(pictures):  # type: ignore[arg-type]
            names.append(_name_of(picture))
            try:
                rows.append(self.features([picture], order=order)[0])
            except (Error, ValueError) as error:
                wrong = type(error) if isinstance(error, Error) else ArgumentError
                which, said = names[-1] or f"picture {number}", str(error)
                raise wrong(said if which in said else f"{which}: {said}") from error
        shape = (len(rows), self._features.shape[1])
        return self.enrol_features(name, np.array(rows, np.float32).reshape(shape), names)

    def enrol_features(
        self, name: str, features: Any, picture_names: Optional[Sequence[str]] = None
    ) -> Person:
        """By rows that were computed before (features, or Embedder's of the same plan)."""
        rows = self._check_rows(features)
        names = ["" for _ in rows] if picture_names is None else list(picture_names)
        if len(names) != len(rows):
            raise ValueError(f"{len(names)} names of {len(rows)} pictures")
        texts = [ffi.new("char[]", one.encode("utf-8", "surrogateescape")) for one in names]
        listed = ffi.new("char *[]", texts)
        with self._lock:
            self._changed()
            call(lib.kiln_people_enrol, self._gallery, name.encode(), _numbers(rows), len(rows), listed)
        return self[name]

    def forget(self, name: str) -> None:
        """Nothing of the person is kept. ArgumentError: nobody is called that."""
        with self._lock:
            self._changed()
            call(lib.kiln_people_forget, self._gallery, name.encode())

    def rename(self, name: str, new_name: str) -> None:
        """ArgumentError: nobody is called `name`, or somebody `new_name`."""
        with self._lock:
            call(lib.kiln_people_rename, self._gallery, name.encode(), new_name.encode())

    def correct(self, name: str, picture: Picture, *, order: str = "rgb") -> None:
        """That is not `name`: from now on it takes more similarity than this picture has."""
        row, told = self.features([picture], order=order), _name_of(picture).encode()
        with self._lock:
            call(lib.kiln_people_correct, self._gallery, name.encode(), _numbers(row), told)

    def add_strangers(self, pictures: Pictures, *, who: Optional[int] = None, order: str = "rgb") -> None:
        """Pictures of people who are not to be known, as evidence for the threshold. who: a number of
        the one stranger whom they all show; None: each shows another."""
        rows = self.features(pictures, order=order)
        with self._lock:
            first = lib.kiln_people_stranger_count(self._gallery)
            self._changed()
            for number, row in enumerate(rows):
                stranger = first + number if who is None else who
                call(lib.kiln_people_add_stranger, self._gallery, _numbers(row), stranger)

    def _changed(self) -> None:
        self._threshold = None

    def save(self, path: PathLike) -> None:
        """The plan with these people in it: a new file, or in the place of the old one, which may be
        the plan's own. A head whose weights are directions (cosine, mean, knn) then has who is new;
        another leaves that to similarity."""
        with self._lock:
            call(lib.kiln_people_save, self._gallery, self.plan.handle, path_bytes(path))
