"""Vectors and names of pictures, by Spark: a row (path, embedding, label, error) each, as Parquet.

    spark-submit embed.py faces.plan pictures/ rows.parquet
    spark-submit embed.py faces.plan --paths table.parquet rows.parquet

The pictures come from folders that Spark reads (its "binaryFile", wherever it can read: HDFS, S3,
...), or from a table of paths that every worker can open. The plan file goes to each executor once;
there it is mapped, and its packed weights are in a file beside it, so that all the workers of an
executor hold one copy of the weights. A worker opens the plan once, however many tasks it has. A
picture that cannot be read, or shows no face, is a row with an error.

Each executor needs the packages kiln and pyarrow.
"""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Iterator

SCHEMA = "path string, embedding array<float>, label string, error string"
PICTURES = "*.{jpg,jpeg,png,webp,gif,bmp,ppm,pgm,JPG,JPEG,PNG}"
# Pictures that go to Python at once, which a worker holds, and so many that nothing else counts.
ROWS_OF_CONTENT, ROWS_OF_PATHS = 32, 256


@functools.lru_cache(maxsize=1)
def recogniser(plan: str, detector: str | None):
    """One a worker: Spark keeps Python workers from task to task, and this module in them."""
    import kiln

    opened = kiln.Plan(plan, prepacked=plan + ".packed")
    return (kiln.Classifier if opened.labels else kiln.Embedder)(opened, detector=detector)


def recognise(network, batch):
    """embeddings (a matrix), labels, errors: in C, for the whole batch, which is not copied."""
    if "content" in batch.schema.names:
        files = [memoryview(content.as_buffer()) for content in batch.column("content")]
        embed, recognise = "embed_encoded", "recognise_encoded"
    else:
        files = batch.column("path").to_pylist()
        embed, recognise = "embed_files", "recognise_files"
    if not hasattr(network, recognise):
        embeddings, errors = getattr(network, embed)(files)
        return embeddings, [None] * len(files), errors
    told = getattr(network, recognise)(files)
    return told.embeddings, [network.labels[best] for best in told.best()], told.errors


def rows(batches: Iterator, plan: str, detector: str | None) -> Iterator:
    """For mapInArrow: batches with a path, and the picture's content or else its place there."""
    import numpy
    import pyarrow
    from pyspark import SparkFiles

    places = [SparkFiles.get(name) if name else None for name in (plan, detector)]
    network = recogniser(*places)
    for batch in batches:
        embeddings, labels, errors = recognise(network, batch)
        failed = numpy.array([error is not None for error in errors], bool)
        starts = numpy.arange(len(embeddings) + 1, dtype=numpy.int32) * embeddings.shape[1]
        columns = [
            batch.column("path"),
            pyarrow.ListArray.from_arrays(
                pyarrow.array(starts), embeddings.ravel(), mask=pyarrow.array(failed)
            ),
            pyarrow.array(labels, pyarrow.string(), mask=failed),
            pyarrow.array([error and str(error) for error in errors], pyarrow.string()),
        ]
        yield pyarrow.RecordBatch.from_arrays(columns, ["path", "embedding", "label", "error"])


def embed(spark, plan: str, pictures, detector: str | None = None):
    """The frame of rows; pictures: a frame with columns path and content, or path alone."""
    context = spark.sparkContext
    context.addPyFile(os.path.abspath(__file__))  # a module, whose cache a worker keeps
    for file in filter(None, (plan, detector)):
        context.addFile(file)
    names = [file and os.path.basename(file) for file in (plan, detector)]
    most = ROWS_OF_CONTENT if "content" in pictures.columns else ROWS_OF_PATHS
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(most))

    def mapped(batches):
        import embed

        return embed.rows(batches, *names)

    wanted = [name for name in ("path", "content") if name in pictures.columns]
    return pictures.select(*wanted).mapInArrow(mapped, SCHEMA)


def read_pictures(spark, source: str, is_table: bool, partitions: int | None):
    if not is_table:
        reader = spark.read.format("binaryFile").option("pathGlobFilter", PICTURES)
        frame = reader.option("recursiveFileLookup", "true").load(source).select("path", "content")
        # What is moved to other workers is only worth it where the files are few.
        return frame.repartition(partitions) if partitions else frame
    if source.endswith(".parquet"):
        frame = spark.read.parquet(source).select("path")
    else:
        frame = spark.read.text(source).withColumnRenamed("value", "path")
    return frame.repartition(partitions or 4 * spark.sparkContext.defaultParallelism)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", help="a plan file, with labels (kiln train) or without")
    parser.add_argument("pictures", help="a folder, or anything else that Spark can load from")
    parser.add_argument("output", help="a folder for Parquet files; there must be none")
    parser.add_argument(
        "--paths", action="store_true", help="PICTURES is a table (Parquet, or text) of paths"
    )
    parser.add_argument("--detector", help="a plan that finds faces; default: the plan's own, if any")
    parser.add_argument("--partitions", type=int, help="shares that the pictures are cut into")
    given = parser.parse_args()

    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("kiln embed").getOrCreate()
    pictures = read_pictures(spark, given.pictures, given.paths, given.partitions)
    embed(spark, given.plan, pictures, given.detector).write.parquet(given.output)
    spark.stop()


if __name__ == "__main__":
    main()
