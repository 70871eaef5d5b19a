import io
import json
import subprocess

import numpy as np
import pytest

import kiln

Image = pytest.importorskip("PIL.Image")


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def embedder(root):
    plan = kiln.compile(root / "models/faces/backbone.onnx", preprocess="tf")
    with kiln.Embedder(plan, batch_size=4) as embedder:
        yield embedder


def test_pictures_in_all_forms_are_the_same(embedder, pixels, tmp_path):
    a = pixels(90, 70, 3)
    (tmp_path / "a.png").write_bytes(png(a))
    alpha = np.dstack([a, pixels(90, 70)])
    rows = embedder.predict(
        [a, tmp_path / "a.png", str(tmp_path / "a.png"), png(a), io.BytesIO(png(a)), alpha]
    )
    assert rows.shape == (6, embedder.size) and rows.dtype == np.float32
    assert all(np.array_equal(row, rows[0]) for row in rows)
    assert np.array_equal(embedder.embed(a[:, :, ::-1].copy(), order="bgr"), rows[0])
    assert not np.array_equal(embedder.embed(a, order="bgr"), rows[0])


def test_views_are_read_where_they_lie(embedder, pixels):
    a = pixels(100, 100, 3)
    for view in (a[10:80, 5:60], a[::2], a[::-1], a[:, ::-1], a[:, ::2], a[:, :, :1], a[:, :, 0]):
        assert np.array_equal(embedder.embed(view), embedder.embed(view.copy()))


def test_batches_are_the_same_as_one_at_a_time(embedder, pixels):
    some = [pixels(40 + k, 50, 3) for k in range(9)]
    together = embedder.predict(some)
    assert all(np.array_equal(together[k], embedder.embed(some[k])) for k in range(9))
    assert embedder.predict([]).shape == (0, embedder.size)


def test_length_one(root, pixels):
    plan = kiln.compile(root / "models/faces/backbone.onnx", preprocess="tf")
    row = kiln.Embedder(plan, normalize=True).embed(pixels(64, 64, 3))
    assert np.isclose(np.linalg.norm(row), 1)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), b"no picture"])
def test_what_is_no_picture_is_refused(embedder, wrong):
    with pytest.raises((ValueError, OSError)):
        embedder.embed(wrong)


def test_stands_upright(pixels, tmp_path):
    a = pixels(20, 30, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    Image.fromarray(a).save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(kiln.read_picture(tmp_path / "turned.png"), np.rot90(a, -1))


def test_without_preprocessing_it_says_what_to_do(root, pixels):
    plan = kiln.compile(root / "models/faces/backbone.onnx")
    with pytest.raises(kiln.ArgumentError, match="preprocess="):
        kiln.Embedder(plan)
    assert kiln.Embedder(plan, preprocess="tf").embed(pixels(64, 64, 3)).any()


@pytest.fixture(scope="session")
def drawn(command, tmp_path_factory, root):
    """Drawn people, a trained plan with its detector inside, and a plan of the backbone."""
    folder = tmp_path_factory.mktemp("drawn")
    draw = [command["kiln-faces"], "-o", folder / "people", "--people", "4", "--pictures", "5"]
    subprocess.run([*draw, "--scenes", "--size", "200"], check=True)
    subprocess.run(
        [command["kiln"], "compile", root / "models/faces/backbone.onnx", "-o", folder / "net.plan"]
        + ["--preprocess", "tf"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        [command["kiln"], "train", folder / "net.plan", folder / "people", "-o", folder / "faces.plan"]
        + ["--detector", root / "models/faces/detector.onnx", "--bundle"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return folder, sorted((folder / "people").rglob("*.p?m")) + sorted((folder / "people").rglob("*.png"))


@pytest.mark.parametrize("normalize", [False, True])
def test_embeds_as_the_command_does(drawn, command, root, normalize):
    folder, pictures = drawn
    detector = root / "models/faces/detector.onnx"
    with kiln.Embedder(folder / "net.plan", detector=detector, normalize=normalize) as embedder:
        ours = embedder.predict(pictures)
    subprocess.run(
        [command["kiln"], "embed", folder / "net.plan", *pictures, "-o", folder / "rows.npy"]
        + ["--detector", detector, *(["--normalize"] if normalize else [])],
        check=True,
    )
    assert np.array_equal(ours, np.load(folder / "rows.npy"))


@pytest.fixture(scope="session")
def mixed(drawn, tmp_path_factory):
    """Pictures in files of several kinds, with what fails among them."""
    _, pictures = drawn
    folder = tmp_path_factory.mktemp("mixed")
    made = []
    for picture, kind in zip(pictures, ["jpg", "webp", "gif", "bmp", "png"]):
        made.append(folder / f"{len(made)}.{kind}")
        Image.open(picture).convert("RGB").save(made[-1])
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(folder / "empty.png")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(folder / "small.png")
    Image.fromarray(np.zeros((90, 90, 3), np.uint8)).save(folder / "other.tiff")
    (folder / "damaged.jpg").write_bytes(made[0].read_bytes()[:300])
    (folder / "text.png").write_text("no picture")
    names = ("empty.png", "damaged.jpg", "text.png", "missing.png", "small.png", "other.tiff")
    failing = [folder / name for name in names]
    return [*made[:2], *failing, *made[2:], *pictures], [*made, *pictures], failing


def test_many_files_are_embedded_as_the_command_does(drawn, mixed, command):
    folder, _ = drawn
    files, good, failing = mixed
    subprocess.run(
        [command["kiln"], "embed", folder / "faces.plan", *good, "-o", folder / "many.npy"], check=True
    )
    one_by_one = subprocess.run(
        [command["kiln"], "embed", folder / "faces.plan", "--stream", "--max-errors", "100"],
        input="".join(f"{path}\n" for path in failing),
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.splitlines()
    with kiln.Embedder(folder / "faces.plan") as embedder:
        rows, errors = embedder.embed_files(files)
        assert np.array_equal(rows[[error is None for error in errors]], np.load(folder / "many.npy"))
        assert [path for path, error in zip(files, errors) if error] == failing
        theirs = [json.loads(line)["error"] for line in one_by_one]
        told = [str(error) for error in errors if error]
        assert told[:5] == theirs[:5] and "built without libtiff" in told[5]
        assert np.isnan(rows[[error is not None for error in errors]]).all()
        there = [file for file in files if file.exists()]
        again, why = embedder.embed_encoded([memoryview(file.read_bytes()) for file in there])
        assert np.array_equal(again, np.delete(rows, files.index(failing[3]), 0), equal_nan=True)
        assert [str(error) for error in why if error][0] == "no face found"
        assert embedder.embed_files([])[0].shape == (0, embedder.size)
        assert np.array_equal(embedder.predict(good), rows[[error is None for error in errors]])


def test_many_files_are_recognised_as_one_is(drawn, mixed):
    files, good, _ = mixed
    folder, _ = drawn
    with kiln.Classifier(folder / "faces.plan") as classifier:
        many = classifier.recognise_files(files * 4)
        assert len(many.errors) == 4 * len(files) > 64  # several calls
        for k, file in enumerate(files):
            if many.errors[k] is None:
                one = classifier.recognise(file)
                assert np.array_equal(many.embeddings[k], one.embedding)
                assert classifier.labels[many.best()[k]] == one.answers[0].label
        encoded = classifier.recognise_encoded([file.read_bytes() for file in good])
        assert encoded.errors == [None] * len(good)
        assert np.allclose(encoded.scores, classifier.predict(good))  # other sums in a batch


def test_only_faces(drawn, mixed, tmp_path):
    folder, _ = drawn
    _, good, _ = mixed
    one = kiln.read_picture(good[0])
    Image.fromarray(np.hstack([one, one])).save(tmp_path / "two.png")
    with kiln.Embedder(folder / "faces.plan", faces="only") as embedder:
        rows, errors = embedder.embed_files([tmp_path / "two.png", good[0]])
        assert "2 faces" in str(errors[0]) and errors[1] is None and not np.isnan(rows[1]).any()


def test_classifies_as_the_command_does(drawn, command):
    folder, pictures = drawn
    told = subprocess.run(
        [command["kiln"], "classify", folder / "faces.plan", *pictures, "--format", "jsonl"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout.splitlines()
    with kiln.Classifier(folder / "faces.plan") as classifier:
        assert classifier.detector is not None and len(classifier.labels) == 4
        for picture, line in zip(pictures, told):
            ((face, answers),) = classifier.classify_faces(picture)[:1]
            theirs = json.loads(line)["faces"][0]
            assert np.allclose(face.box, theirs["box"], atol=0.01)
            best = classifier.classify(picture, top=2)
            assert answers[0] == best[0] and best[0].score >= best[1].score
            assert best[0].label == picture.parent.name


def test_recognises_by_vector_and_name(drawn):
    folder, pictures = drawn
    with kiln.Classifier(folder / "faces.plan") as one, kiln.Embedder(folder / "faces.plan") as other:
        for picture in pictures:
            told = one.recognise(picture, top=2)
            assert np.array_equal(told.embedding, other.embed(picture))
            assert told.answers == one.classify(picture, top=2)
        assert one._feature_network().captured is not None  # one run makes both


def test_finds_and_turns_faces(drawn, detector):
    _, pictures = drawn
    with kiln.Faces(detector) as faces:
        assert faces.family == "YuNet"
        pixels = kiln.read_picture(pictures[0])
        found = faces.find(pixels)
        assert found and found[0].points.shape == (5, 2)
        turned = kiln.crop_face(pixels, found[0], width=64, height=64)
        assert turned.shape == (64, 64, 3) and turned.any()
        bgr = np.ascontiguousarray(pixels[:, :, ::-1])
        assert faces.find(bgr, order="bgr")[0].box == found[0].box
        assert faces.find(np.zeros((50, 50, 3), np.uint8)) == []


def test_a_network_without_its_detector_says_so(drawn, command, root):
    folder, pictures = drawn
    subprocess.run(
        [command["kiln"], "train", folder / "net.plan", folder / "people", "-o", folder / "apart.plan"]
        + ["--detector", root / "models/faces/detector.onnx"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pytest.raises(kiln.ArgumentError, match="detector="):
        kiln.Classifier(folder / "apart.plan")
    given = kiln.Classifier(folder / "apart.plan", detector=root / "models/faces/detector.onnx")
    assert given.classify(pictures[0])
