import numpy as np
import pytest

import kiln


def test_compiles_in_memory_and_to_a_file(root, tmp_path, noise):
    model, x = root / "models/faces/backbone.onnx", noise(1, 3, 64, 64)
    in_memory = kiln.compile(model)
    to_file = kiln.compile(model, tmp_path / "net.plan")
    from_bytes = kiln.compile(model.read_bytes())
    assert (tmp_path / "net.plan").stat().st_size == to_file.report.plan_bytes
    assert to_file.report.operators_planned < to_file.report.operators_imported
    assert dict(to_file.report.fusions)
    rows = [kiln.Session(p).run(x)[0] for p in (in_memory, to_file, from_bytes, kiln.Plan(tmp_path / "net.plan"))]
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_settles_shapes_labels_and_preprocessing(root):
    plan = kiln.compile(
        root / "models/faces/backbone.onnx",
        inputs={"image": (None, 3, 64, 64)},
        labels=[f"person {k}" for k in range(256)],
        preprocess="imagenet",
    )
    assert plan.batchable and plan.labels[7] == "person 7"
    assert np.prod(plan.outputs[0].shape) == 256


def test_halves_the_weights(root):
    model = root / "models/faces/backbone.onnx"
    assert kiln.compile(model, weights="f16").report.weights_bytes < kiln.compile(model).report.weights_bytes


def test_takes_a_part(root):
    model = root / "models/faces/backbone.onnx"
    layer = kiln.Session(kiln.compile(model, memory="speed")).steps()[3].outputs[0].name
    part = kiln.compile(model, part_outputs=[layer])
    assert [t.name for t in part.outputs] == [layer]


@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": "f8"},
        {"convolution": "fast"},
        {"preprocess": "nobody's"},
        {"inputs": {"no such input": (1, 2)}},
        {"inputs": {"image": np.zeros(3, "c8")}},
        {"part_outputs": ["no such tensor"]},
    ],
)
def test_refuses_wrong_options(root, wrong):
    with pytest.raises((ValueError, kiln.Error)):
        kiln.compile(root / "models/faces/backbone.onnx", **wrong)


def test_refuses_what_is_no_model(tmp_path, root):
    with pytest.raises(kiln.Error):
        kiln.compile(b"no model")
    with pytest.raises(kiln.FileError, match="missing"):
        kiln.compile(tmp_path / "missing.onnx")
    with pytest.raises(kiln.OutOfMemoryError):
        kiln.compile(root / "models/faces/backbone.onnx", memory_limit=1000)


def test_takes_onnx_models(noise):
    onnx = pytest.importorskip("onnx")
    graph = onnx.parser.parse_graph("net (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }")
    with kiln.Model(kiln.compile(onnx.helper.make_model(graph))) as model:
        x = noise(5, 4)
        assert np.array_equal(model.predict(x), np.maximum(x, 0))
