import json
import subprocess
import sys
import threading

import numpy as np
import pytest

import kiln

pytest.importorskip("PIL.Image")

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}


@pytest.fixture(scope="session")
def world(command, tmp_path_factory, root):
    """Drawn people: those of "known" are trained on, three pictures each are left; nobody knows those
    of "unseen"; "party" shows several."""
    folder = tmp_path_factory.mktemp("people")
    draw = [command["kiln-faces"], "--scenes", "--size", "200", "--seed", "8"]
    subprocess.run([*draw, "-o", folder / "known", "--people", "8", "--pictures", "8"], **QUIET)
    subprocess.run(
        [*draw, "-o", folder / "unseen", "--people", "4", "--pictures", "4", "--first-person", "20"], **QUIET
    )
    subprocess.run(
        [command["kiln-faces"], "-o", folder / "party", "--people", "8", "--together", "3", "--groups", "3"]
        + ["--size", "480", "--seed", "8"],
        **QUIET,
    )
    left = []
    for picture in sorted((folder / "known").rglob("*.png")):
        if int(picture.stem) >= 5:
            target = folder / "left" / picture.parent.name / picture.name
            target.parent.mkdir(parents=True, exist_ok=True)
            left.append(picture.rename(target))
    net, plan = folder / "net.plan", folder / "faces.plan"
    backbone = root / "models/faces/backbone.onnx"
    subprocess.run([command["kiln"], "compile", backbone, "-o", net, "--preprocess", "tf"], **QUIET)
    subprocess.run(
        [command["kiln"], "train", net, folder / "known", "-o", plan, "--no-checkpoint"]
        + ["--detector", root / "models/faces/detector.onnx", "--bundle"],
        **QUIET,
    )
    return {
        "folder": folder,
        "net": net,
        "plan": plan,
        "left": left,
        "unseen": sorted((folder / "unseen").rglob("*.png")),
        "party": sorted((folder / "party").glob("*.png")),
    }


@pytest.fixture
def people(world):
    with kiln.People(world["plan"]) as people:
        yield people


@pytest.mark.parametrize("far", [None, 0.5, 1])
def test_says_what_the_command_says(world, command, far):
    pictures = [*world["left"], *world["unseen"], *world["party"]]
    asked = [] if far is None else ["--far", str(far)]
    told = subprocess.run(
        [command["kiln"], "classify", world["plan"], *pictures, "--format", "jsonl", *asked],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    ).stdout.splitlines()
    count = 0
    with kiln.People(world["plan"], far=far) as people:
        for picture, line in zip(pictures, told):
            ours = people.identify(picture)
            theirs = json.loads(line).get("faces", [])
            key = lambda face: (face["box"][0], face["box"][1])  # noqa: E731
            theirs.sort(key=key)
            ours.sort(key=lambda found: (found.face.left, found.face.top))
            assert len(ours) == len(theirs)
            for found, face in zip(ours, theirs):
                assert np.allclose(found.face.box, face["box"], atol=0.01)
                assert (found.name, found.known) == (face["label"], face["known"])
                assert found.nearest == face["nearest"]
                assert np.isclose(found.similarity, face["similarity"], atol=1e-6)
                assert np.isclose(found.asked, face["asked"], atol=1e-6)
                assert np.isclose(found.probability, face["probability"], atol=1e-6)
                count += 1
    assert count >= len(pictures)


def test_names_those_who_are_known_and_nobody_else(people, world):
    names = [picture.parent.name for picture in world["left"]]
    made = people.predict(world["left"])
    assert all(a in (b, kiln.UNKNOWN) for a, b in zip(made, names))
    assert sum(a == b for a, b in zip(made, names)) >= 0.6 * len(names)
    strangers = people.predict(world["unseen"])
    assert strangers.count(kiln.UNKNOWN) >= 0.75 * len(strangers)
    threshold = people.threshold
    assert 0 < threshold.rate < 1 and threshold.people == 8 and threshold.scores == 40


def test_everybody_on_a_picture_in_one_call(people, world):
    for picture in world["party"]:
        found = people.identify(kiln.read_picture(picture))
        assert len(found) >= 2
        assert all(one.face is not None and one.nearest in people for one in found)


def test_is_a_collection_of_names(people):
    names = list(people)
    assert len(people) == len(names) == 8 and names == sorted(names) and people.names == tuple(names)
    assert names[0] in people and "nobody" not in people and 3 not in people
    assert people[names[0]] == kiln.Person(names[0], 5, 5, 0)
    assert people.strangers == 0
    with pytest.raises(KeyError):
        people["nobody"]
    assert "8 people" in repr(people)


def test_makes_known_renames_forgets_and_saves(people, world, command, tmp_path):
    who = sorted((world["folder"] / "unseen").iterdir())[0]
    pictures = sorted(who.iterdir())
    assert people.predict(pictures[3:]) == [kiln.UNKNOWN]
    made = people.enrol("zoe", pictures[:3])
    assert made == kiln.Person("zoe", 3, 3, 0)
    found = people.identify(pictures[3])
    assert found[0].name == "zoe" and found[0].probability is None  # the head does not know her
    assert people.enrol("zoe", pictures[3]).pictures == 4  # one alone
    people.rename("zoe", "zoë")
    assert "zoë" in people and "zoe" not in people
    first = people.names[0]
    people.forget(first)
    people.save(tmp_path / "more.plan")
    told = subprocess.run(
        [command["kiln"], "people", tmp_path / "more.plan", "--json"], stdout=subprocess.PIPE, check=True
    ).stdout
    with kiln.People(tmp_path / "more.plan") as again:
        assert again.names == people.names
        assert [one["name"] for one in json.loads(told)["people"]] == list(again)
        assert again.predict(pictures) == people.predict(pictures) == ["zoë"] * 4
        again.save(tmp_path / "more.plan")  # in its own place
    with kiln.People(world["plan"]) as before:
        assert first in before and "zoë" not in before


def test_a_picture_without_a_face_enrols_nobody(people, world, tmp_path):
    blank = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(kiln.ArgumentError, match="picture 1: no face found"):
        people.enrol("new", [world["unseen"][0], blank])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises((ValueError, OSError), match="broken.png|cannot identify"):
        people.enrol("new", [tmp_path / "broken.png"])
    with pytest.raises(kiln.FileError, match="missing.png: No such file"):
        people.enrol("new", [tmp_path / "missing.png"])
    with pytest.raises(kiln.ArgumentError):
        people.enrol("new", [])
    assert "new" not in people and len(people) == 8
    assert people.identify(blank) == []
    with pytest.raises(kiln.ArgumentError, match="no face found"):
        people.predict([blank])


def test_errors_have_kilns_text(people, world, backbone, tmp_path):
    with pytest.raises(kiln.ArgumentError, match="knows no people"):
        kiln.People(backbone)
    with pytest.raises(kiln.ArgumentError, match="needs 3000 impostor scores; there are 40"):
        kiln.People(world["plan"], far=0.001)
    for wrong in (0, -1, 2):
        with pytest.raises(ValueError, match="far"):
            kiln.People(world["plan"], far=wrong)
    with pytest.raises(kiln.ArgumentError, match="nobody is called 'nobody'"):
        people.forget("nobody")
    with pytest.raises(kiln.ArgumentError, match="somebody is called"):
        people.rename(people.names[0], people.names[1])
    with pytest.raises(kiln.ArgumentError, match="a name has 1 to"):
        people.enrol("", world["unseen"][:1])
    with pytest.raises(kiln.FileError):
        people.save(tmp_path / "no folder" / "x.plan")
    with pytest.raises(ValueError, match="features"):
        people.identify_features(np.zeros((2, 7), np.float32))
    people.close()
    people.close()
    assert "closed" in repr(people)
    for call in (lambda: len(people), lambda: people.identify(world["left"][0])):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_that_is_not_her(people, world):
    picture = next(one for one in world["left"] if people.predict([one])[0] != kiln.UNKNOWN)
    before = people.rank(picture, top=3)
    assert len(before) == 3 and before[0].known
    people.correct(before[0].nearest, picture)
    assert people[before[0].nearest].corrections == 1
    after = people.rank(picture, top=100)
    assert len(after) == 8
    assert [one for one in after if one.nearest == before[0].nearest][0].known is False


def test_strangers_are_evidence(people, world):
    scores = people.threshold.scores
    people.add_strangers(world["unseen"][:4], who=1)
    people.add_strangers(world["unseen"][4:8])
    assert people.strangers == 8 and people.threshold.scores == scores + 8
    assert people.threshold.people == 8 + 1 + 4


def test_by_features_that_others_computed(people, world):
    rows = people.features(world["left"])
    with kiln.Embedder(world["plan"]) as embedder:
        others = embedder.predict(world["left"])
        assert all(kiln.similarity(a, b) > 0.999999 for a, b in zip(rows, others))
        assert [one.name for one in people.identify_features(others)] == [
            one.name for one in people.identify_features(rows)
        ]
    alone = people.identify_features(rows)
    assert all(one.probability is None and one.face is None for one in alone)
    assert [one.nearest for one in alone] != []
    made = people.enrol_features("by rows", rows[:2], ["a.png", "b.png"])
    assert made.pictures == 2
    assert np.isclose(kiln.similarity(rows[0], rows[0]), 1)
    assert kiln.similarity(rows[0], np.zeros_like(rows[0])) == 0
    with pytest.raises(ValueError):
        kiln.similarity(rows[0], rows[1][:5])


def test_one_person_is_not_compared_with_anybody(people, world):
    for name in people.names[1:]:
        people.forget(name)
    assert people.threshold is None
    assert people.predict(world["left"][:1]) == [kiln.UNKNOWN]
    people.forget(people.names[0])
    found = people.identify(world["left"][0])[0]
    assert found.nearest is None and found.name == kiln.UNKNOWN


def test_whole_pictures(world, command, root, tmp_path):
    """Of a plan without a detector."""
    faces = tmp_path / "faces"
    subprocess.run(
        [command["kiln-faces"], "-o", faces, "--people", "5", "--pictures", "6", "--size", "64"], **QUIET
    )
    subprocess.run(
        [command["kiln"], "train", world["net"], faces, "-o", tmp_path / "whole.plan", "--no-checkpoint"],
        **QUIET,
    )
    pictures = sorted(faces.rglob("*.p?m")) + sorted(faces.rglob("*.png"))
    with kiln.People(tmp_path / "whole.plan", batch_size=4) as people:
        made = people.predict(pictures)
        assert sum(a == b.parent.name for a, b in zip(made, pictures)) >= 0.9 * len(made)
        assert people.identify(pictures[0])[0].face is None
        assert made == [people.identify(picture)[0].name for picture in pictures]


def test_cycles_are_released_in_order(world):
    """What stands on a plan goes before it, also where the collector finds both at once."""
    code = """
import gc, sys, kiln
for _ in range(10):
    for make in (kiln.Faces, kiln.Embedder, kiln.Classifier, kiln.People):
        one = make(sys.argv[1])
        one.cycle = [one, one.__dict__]
        del one
    gc.collect()
"""
    assert subprocess.run([sys.executable, "-c", code, world["plan"]], check=False).returncode == 0


def test_threads_that_share_one_wait(people, world):
    pictures = [kiln.read_picture(picture) for picture in world["left"][:4]]
    expected, wrong = people.predict(pictures), []

    def work(k):
        for _ in range(5):
            if people.identify(pictures[k])[0].name != expected[k]:
                wrong.append(k)
            people.enrol(f"other {k}", world["unseen"][4 * k])
            people.forget(f"other {k}")

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_real_people_are_told_from_strangers(command, root, tmp_path):
    """AT&T's, 20 of whom are known by five pictures each, with networks that others have trained."""
    shared = root.parent / "shared"
    models = [shared / f"models/{name}/model.onnx" for name in ("mobilefacenet-b", "yunet-n-320")]
    orl = shared / "faces/orl"
    if not orl.exists() or not all(model.exists() for model in models):
        pytest.skip("no real models and faces")
    folders = sorted(folder for folder in orl.iterdir() if folder.is_dir())
    known = tmp_path / "known"
    for folder in folders[:20]:
        (known / folder.name).mkdir(parents=True)
        for picture in sorted(folder.iterdir())[:5]:
            (known / folder.name / picture.name).symlink_to(picture)
    net, plan = tmp_path / "net.plan", tmp_path / "faces.plan"
    compiled = [command["kiln"], "compile", models[0], "-o", net, "--mean", "127.5", "--std", "128"]
    subprocess.run(compiled, **QUIET)
    subprocess.run(
        [command["kiln"], "train", net, known, "-o", plan, "--detector", models[1], "--bundle"]
        + ["--no-checkpoint"],
        **QUIET,
    )
    with kiln.People(plan, far=0.05) as people:
        rest = [picture for folder in folders[:20] for picture in sorted(folder.iterdir())[5:]]
        made = people.predict(rest)
        assert sum(a == b.parent.name for a, b in zip(made, rest)) >= 0.97 * len(rest)
        strangers = [picture for folder in folders[20:] for picture in sorted(folder.iterdir())]
        passed = [name for name in people.predict(strangers) if name != kiln.UNKNOWN]
        assert len(passed) <= 0.05 * len(strangers)
        new = folders[20]
        people.enrol(new.name, sorted(new.iterdir())[:3])
        assert people.predict(sorted(new.iterdir())[3:]).count(new.name) >= 6
