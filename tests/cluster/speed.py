"""Pictures a second: speed.py KILN PLAN LIST [PICTURES [ROUNDS]]

One and two processes of `kiln embed`, two of Python, and Spark with two workers, of paths and of
contents. The list is repeated up to so many (4,000); the ways take turns (5 rounds), and medians are
told. Of Python and Spark what counts is the time after start-up: of each worker, from its first
batch done to its last, and the workers' rates are added.
"""

import collections
import os
import statistics
import subprocess
import sys
import tempfile
import time

WORKER = """
import sys, time
import kiln
network = kiln.Classifier(sys.argv[1])
pictures = open(sys.argv[2]).read().split("\\n")[:-1][int(sys.argv[3])::2]
for start in range(0, len(pictures), 256):
    done = len(network.recognise_files(pictures[start : start + 256]).errors)
    print(sys.argv[3], time.time(), done)
"""


def rate(lines):
    """Of lines that name a worker, when it had done a batch, and how many pictures that had."""
    done = collections.defaultdict(list)
    for line in lines:
        worker, when, pictures = line.split()
        done[worker].append((float(when), int(pictures)))
    return sum(
        sum(pictures for _, pictures in batches[1:]) / (batches[-1][0] - batches[0][0])
        for batches in done.values()
    )


def command(kiln, plan, listed, count, shards):
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
        return count / (time.perf_counter() - begin)


def python(plan, listed):
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, plan, listed, str(k)], stdout=subprocess.PIPE, text=True
        )
        for k in range(2)
    ]
    return rate([line for job in jobs for line in job.communicate()[0].splitlines()])


def spark(session, plan, pictures):
    import embed

    with tempfile.TemporaryDirectory() as logs:

        def timed(batches):
            for batch in batches:
                with open(f"{logs}/{os.getpid()}", "a", encoding="utf-8") as log:
                    log.write(f"{os.getpid()} {time.time()} {batch.num_rows}\n")
                yield batch

        rows = embed.embed(session, plan, pictures)
        rows = rows.mapInArrow(timed, embed.SCHEMA)
        rows.write.format("noop").mode("overwrite").save()
        files = [open(f"{logs}/{name}", encoding="utf-8") for name in os.listdir(logs)]
        return rate([line for file in files for line in file])


def main(kiln, plan, listed, pictures=4000, rounds=5):
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
    session.conf.set("spark.sql.files.openCostInBytes", "0")  # else a partition a picture
    paths = embed.read_pictures(session, repeated, True, 8)
    contents = session.read.format("binaryFile").load(once.split()).select("path", "content")
    contents.repartition(8).write.mode("overwrite").parquet("contents.parquet")
    contents = session.read.parquet(*repeats * ["contents.parquet"])

    ways = {
        "kiln embed, 1 process": lambda: command(kiln, plan, repeated, count, 1),
        "kiln embed, 2 processes": lambda: command(kiln, plan, repeated, count, 2),
        "Python, 2 processes": lambda: python(plan, repeated),
        "Spark, 2 workers, paths": lambda: spark(session, plan, paths),
        "Spark, 2 workers, contents": lambda: spark(session, plan, contents),
    }
    spark(session, plan, paths)
    rates = {name: [] for name in ways}
    for _ in range(int(rounds)):
        for name, way in ways.items():
            rates[name].append(way())
            print(f"{name}: {rates[name][-1]:.0f}", file=sys.stderr, flush=True)
    for name, measured in rates.items():
        print(f"{name:27} {statistics.median(measured):6.0f} pictures a second (best {max(measured):.0f})")
    session.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
