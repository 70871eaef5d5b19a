"""Pictures a second: speed.py KILN PLAN LIST [PICTURES]

One and two processes of `kiln embed`, two of Python, and Spark with two workers after start-up (a
session that has embedded the list once). The list is repeated up to so many (10,000), so that what
starts a job weighs little.
"""

import os
import subprocess
import sys
import tempfile
import time

WORKER = """
import sys
import kiln
network = kiln.Classifier(sys.argv[1])
pictures = open(sys.argv[2]).read().split("\\n")[:-1][int(sys.argv[3])::2]
network.recognise(pictures[1])
print("ready", flush=True)
sys.stdin.readline()
for picture in pictures:
    try:
        network.recognise(picture)
    except (OSError, ValueError):
        pass
"""


def command(kiln, plan, listed, shards):
    """Start-up included, which is some milliseconds."""
    with tempfile.TemporaryDirectory() as parts:
        begin = time.perf_counter()
        jobs = [
            subprocess.Popen(
                [kiln, "embed", plan, "--list", listed, "--shard", f"{k}/{shards}", "-o", parts]
                + ["--max-errors", "1000000"],
                stderr=subprocess.DEVNULL,
            )
            for k in range(shards)
        ]
        assert all(job.wait() == 0 for job in jobs)
        return time.perf_counter() - begin


def python(plan, listed):
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, plan, listed, str(k)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for k in range(2)
    ]
    for job in jobs:
        assert job.stdout.readline() == b"ready\n"
    begin = time.perf_counter()
    for job in jobs:
        job.stdin.write(b"\n")
        job.stdin.close()
    assert all(job.wait() == 0 for job in jobs)
    return time.perf_counter() - begin


def main(kiln, plan, listed, pictures=10000):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../examples/spark"))
    import embed
    from pyspark.sql import SparkSession

    with open(listed, encoding="utf-8") as file:
        once = file.read()
    repeats = -(-int(pictures) // once.count("\n"))
    count = repeats * once.count("\n")
    repeated = os.path.abspath("repeated.txt")
    with open(repeated, "w", encoding="utf-8") as file:
        file.write(once * repeats)
    session = SparkSession.builder.master("local-cluster[2,1,1024]").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")

    def spark(listed):
        pictures = embed.read_pictures(session, listed, True, 8)
        begin = time.perf_counter()
        rows = embed.embed(session, plan, pictures)
        rows.write.format("noop").mode("overwrite").save()
        return time.perf_counter() - begin

    spark(listed)
    ways = {
        "kiln embed, 1 process": lambda: command(kiln, plan, repeated, 1),
        "kiln embed, 2 processes": lambda: command(kiln, plan, repeated, 2),
        "Python, 2 processes": lambda: python(plan, repeated),
        "Spark, 2 workers": lambda: spark(repeated),
    }
    for name, way in ways.items():
        print(f"{name:24} {count / way():7.0f} pictures a second", flush=True)
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
