import sys
import threading
import time

import numpy as np
import pytest

import kiln


@pytest.fixture
def session(backbone):
    with kiln.Session(kiln.Plan(backbone), max_batch=4) as session:
        yield session


def test_writes_where_it_is_told(session, noise):
    x, y = noise(3, 3, 64, 64), np.zeros((3, 256), np.float32)
    (made,) = session.run(x, y)
    assert made is y and y.any()
    assert np.array_equal(session.run(x)[0], y)
    assert np.array_equal(session.run({"image": x}, {"embedding": y})[0], y)


def test_reads_where_the_input_lies(session, noise):
    """A view into a larger array, and one that Kiln must not write to."""
    x = noise(5, 3, 64, 64)
    x.flags.writeable = False
    assert np.array_equal(session.run(x[1:3])[0], session.run(np.array(x[1:3]))[0])
    mirrored = x[:2, :, :, ::-1]
    assert np.array_equal(session.run(mirrored)[0], session.run(mirrored.copy())[0])


def test_runs_allocate_no_array_when_outputs_are_given(session, noise):
    import tracemalloc

    x, y = noise(4, 3, 64, 64), np.zeros((4, 256), np.float32)
    session.run(x, y)
    tracemalloc.start()
    session.run(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 4  # an input that is copied is 196 KB


@pytest.mark.parametrize(
    "shape, dtype",
    [((1, 3, 64, 65), "f4"), ((3, 64, 64), "f4"), ((1, 3, 64, 64), "f8"), ((0, 3, 64, 64), "f4"), ((), "f4")],
)
def test_refuses_what_the_plan_does_not_take(session, shape, dtype):
    with pytest.raises(ValueError):
        session.run(np.zeros(shape, dtype))


def test_refuses_outputs_that_it_cannot_write_to(session, noise):
    x, y = noise(1, 3, 64, 64), np.zeros((2, 256), np.float32)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        session.run(x, y[:1])
    with pytest.raises(ValueError, match="contiguous"):
        session.run(x, np.zeros((1, 256), np.float32)[:, ::-1])
    with pytest.raises(ValueError, match="named"):
        session.run({"no such input": x})


def test_refuses_more_than_max_batch(session, noise):
    with pytest.raises(kiln.ArgumentError):
        session.run(noise(5, 3, 64, 64))


def test_a_closed_one_says_so(backbone, noise):
    session = kiln.Session(kiln.Plan(backbone))
    session.close()
    session.close()
    with pytest.raises(ValueError, match="closed"):
        session.run(noise(1, 3, 64, 64))


def test_cancel_ends_the_next_run_alone(session, noise):
    x = noise(1, 3, 64, 64)
    expected = session.run(x)[0]
    session.cancel()
    with pytest.raises(kiln.CancelledError):
        session.run(x)
    assert np.array_equal(session.run(x)[0], expected)


def test_captures_what_is_computed_on_the_way(session, noise):
    x = noise(2, 3, 64, 64)
    inner = [step.outputs[0] for step in session.steps()][-2]
    y = np.zeros(inner.shape_of(4), inner.dtype)
    session.capture(inner.name, y)
    made = session.run(x)[0]
    assert np.array_equal(made, y[:2].reshape(made.shape)) and not y[2:].any()
    with pytest.raises(ValueError, match="no such tensor"):
        session.capture("no such tensor", y)


def test_threads_that_share_one_wait(session, noise):
    inputs = [noise(1, 3, 64, 64) for _ in range(4)]
    expected = [session.run(x)[0] for x in inputs]
    wrong = []

    def work(k):
        for _ in range(20):
            if not np.array_equal(session.run(inputs[k])[0], expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_interpreter_runs_meanwhile(backbone, noise):
    """With a switch interval beyond the run's time nobody else gets the lock but by its release."""
    with kiln.Session(kiln.Plan(backbone), max_batch=64) as session:
        x, state = noise(64, 3, 64, 64), {"running": False, "seen": 0}
        stop = threading.Event()

        def look():
            while not stop.is_set():
                state["seen"] += state["running"]
                time.sleep(0.0005)

        before = sys.getswitchinterval()
        sys.setswitchinterval(60)
        thread = threading.Thread(target=look)
        thread.start()
        try:
            for _ in range(5):
                state["running"] = True
                session.run(x)
                state["running"] = False
        finally:
            sys.setswitchinterval(before)
            stop.set()
            thread.join()
        assert state["seen"] > 0


def test_steps_are_timed_when_asked(backbone, noise):
    with kiln.Session(kiln.Plan(backbone), profile=True) as session:
        session.run(noise(1, 3, 64, 64))
        steps = session.steps()
    assert sum(step.macs for step in steps) > 1e6
    assert sum(step.seconds for step in steps) > 0
    assert all(step.kernel for step in steps)
