import numpy as np
import pytest

import kiln


def test_predicts_any_number_of_samples(backbone, noise):
    x = noise(11, 3, 64, 64)
    with kiln.Model(backbone, batch_size=4) as model, kiln.Model(backbone, batch_size=1) as one:
        made = model.predict(x)
        assert made.shape == (11, 256) and model.output_shape == (None, 256)
        assert np.array_equal(made, one.predict(x))  # whatever the batch, the same bits
        assert np.array_equal(made[3:4], model(x[3:4]))
        assert model.predict(x[:0]).shape == (0, 256)


def test_converts_types(backbone, noise):
    x = noise(2, 3, 64, 64)
    with kiln.Model(backbone) as model:
        assert np.array_equal(model.predict(x.astype(np.float64)), model.predict(x))
        assert np.array_equal(model.predict(x.tolist()), model.predict(x))


def test_says_what_is_wrong_with_a_shape(backbone, noise):
    with kiln.Model(backbone) as model:
        with pytest.raises(ValueError, match=r"\(2, 64, 64, 3\).*samples"):
            model.predict(noise(2, 64, 64, 3))
        with pytest.raises(ValueError):
            model.predict(np.float32(1))


def test_a_plan_of_one_sample_is_run_for_each(root, noise):
    fixed = kiln.compile(root / "models/faces/backbone.onnx", inputs={"image": (1, 3, 64, 64)})
    x = noise(3, 3, 64, 64)
    with kiln.Model(fixed) as model, kiln.Model(root / "models/faces/backbone.onnx") as open_batch:
        assert model.batch_size == 1 and model.predict(x).shape == (3, 256)
        assert np.allclose(model.predict(x), open_batch.predict(x), atol=1e-4)


def test_a_summary_names_the_layers(backbone):
    lines = []
    with kiln.Model(backbone) as model:
        model.summary(lines.append)
        steps = model.session.steps()
    text = "\n".join(lines)
    assert text.startswith("Model: backbone.plan")
    assert all(step.kernel in text for step in steps)
    assert f"{sum(step.macs for step in steps):,}" in text
