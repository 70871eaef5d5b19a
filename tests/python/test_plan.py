import gc
import threading

import numpy as np
import pytest

import kiln


def test_says_what_it_takes_and_makes(backbone):
    plan = kiln.Plan(backbone)
    (given,), (made,) = plan.inputs, plan.outputs
    assert given.shape == (1, 3, 64, 64) and given.dtype == np.float32 and given.batched
    assert given.shape_of(5) == (5, 3, 64, 64)
    assert made.shape_of(5) == (5, 256)
    assert plan.batchable and plan.labels == ()
    assert plan.metadata("no such key") is None
    assert "backbone.plan" in repr(plan)


def test_bytes_are_not_copied_and_give_the_same(backbone, noise):
    x = noise(1, 3, 64, 64)
    content = bytearray(backbone.read_bytes())
    plan = kiln.Plan(content)
    with pytest.raises(BufferError):
        content.append(0)  # the plan reads them where they lie
    made = kiln.Session(plan).run(x)[0]
    assert np.array_equal(made, kiln.Session(kiln.Plan(backbone)).run(x)[0])


def test_errors_are_of_kilns_kinds_with_kilns_text(tmp_path, backbone):
    with pytest.raises(kiln.FileError, match="missing.plan") as error:
        kiln.Plan(tmp_path / "missing.plan")
    assert isinstance(error.value, OSError) and isinstance(error.value, kiln.Error)
    damaged = bytearray(backbone.read_bytes())
    damaged[100] ^= 1
    with pytest.raises(kiln.FormatError):
        kiln.Plan(bytes(damaged))
    with pytest.raises(kiln.OutOfMemoryError):
        kiln.Session(kiln.Plan(backbone), memory_limit=1000)
    with pytest.raises(kiln.ArgumentError, match="no_such_layer"):
        kiln.Plan(backbone).cut("no_such_layer")


def test_all_statuses_have_their_class():
    from kiln._native import lib
    from kiln.errors import CLASSES

    names = [name for name in dir(lib) if name.startswith("KILN_ERROR_")]
    assert len(names) >= 8
    assert {getattr(lib, name) for name in names} == set(CLASSES)


def test_memory_is_told_before_a_session_is_made(backbone):
    plan = kiln.Plan(backbone)
    one, four = plan.memory(), plan.memory(max_batch=4)
    assert one.total == one.arena + one.scratch + one.heap > 0
    assert four.arena > one.arena
    kiln.Session(plan, memory_limit=one.arena + one.scratch)


def test_lives_as_long_as_what_stands_on_it(backbone, noise):
    x = noise(1, 3, 64, 64)
    expected = kiln.Session(kiln.Plan(backbone)).run(x)[0]
    with kiln.Plan(backbone) as plan:
        cut = plan.cut()
        session = kiln.Session(cut)
    assert "closed" in repr(plan)
    with pytest.raises(ValueError, match="closed"):
        plan.inputs
    cut.close()
    del plan, cut
    gc.collect()
    assert np.array_equal(session.run(x)[0], expected)


def test_is_released_after_what_stands_on_it_in_cycles_too(backbone):
    for _ in range(50):
        session = kiln.Session(kiln.Plan(backbone).cut())
        session.itself = session
        del session
    gc.collect()


def test_packed_weights_are_kept_in_a_file(backbone, tmp_path, noise, caplog):
    x, path = noise(1, 3, 64, 64), tmp_path / "packed"
    plan = kiln.Plan(backbone, prepacked=path)
    session = kiln.Session(plan)
    first = session.run(x)[0]
    assert path.stat().st_size >= plan.packed_bytes > 0
    again = kiln.Plan(backbone, prepacked=path)
    mapped = kiln.Session(again)
    assert np.array_equal(mapped.run(x)[0], first)
    assert again.prepacked_bytes > 0
    assert not caplog.messages
    path.write_bytes(b"damaged" * 100)
    kiln.Session(kiln.Plan(backbone, prepacked=path))
    assert caplog.messages  # told, and replaced
    assert path.stat().st_size > 10000


def test_threads_share_a_plan(backbone, noise):
    plan, x = kiln.Plan(backbone), noise(1, 3, 64, 64)
    expected = kiln.Session(plan).run(x)[0]
    results = []

    def work():
        with kiln.Session(plan) as session:
            results.extend(session.run(x)[0] for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40 and all(np.array_equal(r, expected) for r in results)
