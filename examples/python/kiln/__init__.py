"""Kiln: convolutional networks compiled to plans, and run.

    import kiln

    plan = kiln.compile("net.onnx", "net.plan")
    with kiln.Model("net.plan") as model:
        scores = model.predict(batch)      # numpy, [samples, ...]

Plan, Session: as in C (kiln.h). Model: any number of samples, as Keras has it. Classifier,
Embedder: pictures to names, and to vectors. People: who it is, or nobody known; made known,
forgotten. Faces: finds them. compile: ONNX to plan.

Threads: a Plan may be shared; all else computes for one thread at a time, and others that call it
wait. The interpreter's lock is released while anything is computed. Errors are kiln.Error's
subclasses, with Kiln's own text. Every object is a context manager, and is released with its last
reference otherwise.
"""

from ._native import lib as _lib
from ._native import text as _text
from .compiling import CompileReport, compile
from .errors import (
    ArgumentError,
    CancelledError,
    CompileWarning,
    Error,
    FileError,
    FormatError,
    InternalError,
    MismatchError,
    OutOfMemoryError,
    UnsupportedError,
)
from .faces import Face, Faces, crop_face
from .model import Model
from .pictures import read_picture
from .people import UNKNOWN, Identity, People, Person, Threshold, similarity
from .plan import Memory, Plan, Tensor
from .recognition import Answer, Classifier, Embedder, Recognition, Recognitions
from .session import Session, Step

__version__ = _text(_lib.kiln_version())

__all__ = [
    "Answer",
    "ArgumentError",
    "CancelledError",
    "Classifier",
    "CompileReport",
    "CompileWarning",
    "Embedder",
    "Error",
    "Face",
    "Faces",
    "FileError",
    "FormatError",
    "Identity",
    "InternalError",
    "Memory",
    "MismatchError",
    "Model",
    "OutOfMemoryError",
    "People",
    "Person",
    "Plan",
    "Recognition",
    "Recognitions",
    "Session",
    "Step",
    "Tensor",
    "Threshold",
    "UNKNOWN",
    "UnsupportedError",
    "compile",
    "crop_face",
    "read_picture",
    "similarity",
]
