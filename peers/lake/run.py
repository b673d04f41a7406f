"""Compares what other tools count in a lake with the log that it was made of."""

import argparse
import collections
import datetime
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import duckdb
import polars
import pyarrow.compute
import pyarrow.dataset
import pyspark.sql
import pyspark.sql.functions

SUMS = ["input_tokens", "output_tokens"]


def by_log(path):
    """What the log says, read line by line, without the program."""
    counted = collections.Counter()
    accounts, days, models = set(), collections.Counter(), collections.Counter()
    times = []
    for line in path.open():
        record = json.loads(line)
        counted["exchanges"] += 1
        for name in SUMS:
            counted[name] += record.get("usage", {}).get(name) or 0
        counted["temperatures"] += record["request"].get("params", {}).get("temperature") is not None
        accounts.add(record["account"])
        time = datetime.datetime.fromisoformat(record["time"])
        times.append(time)
        days[time.date().isoformat()] += 1
        models[record.get("model")] += 1
    return told(counted, accounts, days, models, min(times), max(times))


def told(counted, accounts, days, models, first, last):
    return {
        **{name: int(counted[name]) for name in ["exchanges", *SUMS, "temperatures"]},
        "accounts": len(accounts) if isinstance(accounts, set) else accounts,
        "days": dict(sorted(days.items())),
        "models": dict(sorted((str(model), count) for model, count in models.items())),
        "first": first.astimezone(datetime.UTC).isoformat(),
        "last": last.astimezone(datetime.UTC).isoformat(),
    }


def by_duckdb(lake):
    connection = duckdb.connect()
    connection.sql("set timezone = 'UTC'")
    connection.sql(f"create view lake as from read_parquet('{lake}/**/*.parquet', hive_partitioning = true)")
    row = connection.sql(
        "select count(*), sum(input_tokens), sum(output_tokens), count(temperature), count(distinct account), "
        "min(time), max(time) from lake"
    ).fetchall()[0]
    grouped = lambda by: dict(connection.sql(f"select {by}, count(*) from lake group by all").fetchall())
    counted = dict(zip(["exchanges", *SUMS, "temperatures"], row[:4]))
    return told(counted, row[4], grouped("day::varchar"), grouped("model"), row[5], row[6])


def by_polars(lake):
    frame = polars.scan_parquet(f"{lake}/**/*.parquet", hive_partitioning=True)
    one = frame.select(
        polars.len().alias("exchanges"),
        *[polars.col(name).sum() for name in SUMS],
        polars.col("temperature").count().alias("temperatures"),
        polars.col("account").n_unique().alias("accounts"),
        polars.col("time").min().alias("first"),
        polars.col("time").max().alias("last"),
    ).collect().to_dicts()[0]
    grouped = lambda by: dict(frame.group_by(by).len().collect().iter_rows())
    days = {str(day): count for day, count in grouped("day").items()}
    return told(one, one["accounts"], days, grouped("model"), one["first"], one["last"])


def by_pyarrow(lake):
    parts = pyarrow.dataset.partitioning(
        pyarrow.schema([("day", pyarrow.string()), ("shard", pyarrow.int32())]), flavor="hive"
    )
    data = pyarrow.dataset.dataset(lake, format="parquet", partitioning=parts)
    table = data.to_table(columns=["account", "time", "temperature", "model", "day", *SUMS])
    counted = {name: pyarrow.compute.sum(table[name]).as_py() for name in SUMS}
    counted |= {"exchanges": table.num_rows, "temperatures": pyarrow.compute.count(table["temperature"]).as_py()}
    grouped = lambda by: {item["values"]: item["counts"] for item in table[by].value_counts().to_pylist()}
    times = pyarrow.compute.min_max(table["time"]).as_py()
    accounts = pyarrow.compute.count_distinct(table["account"]).as_py()
    return told(counted, accounts, grouped("day"), grouped("model"), times["min"], times["max"])


def by_spark(lake):
    functions = pyspark.sql.functions
    builder = pyspark.sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    frame = session.read.parquet(lake)
    # As text, since a date of Python would be in the zone of the machine.
    at = lambda column: functions.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX")
    one = frame.agg(
        functions.count("*"),
        *[functions.sum(name) for name in SUMS],
        functions.count("temperature"),
        functions.countDistinct("account"),
        at(functions.min("time")),
        at(functions.max("time")),
    ).first()
    grouped = lambda by: {row[by]: row["count"] for row in frame.groupBy(by).count().collect()}
    days = {str(day): count for day, count in grouped("day").items()}
    first, last = (datetime.datetime.fromisoformat(time) for time in one[5:7])
    return told(dict(zip(["exchanges", *SUMS, "temperatures"], one[:4])), one[4], days, grouped("model"), first, last)


TOOLS = {"DuckDB": (duckdb, by_duckdb), "Polars": (polars, by_polars), "pyarrow": (pyarrow, by_pyarrow)}
if shutil.which("java"):
    TOOLS["Spark"] = (pyspark, by_spark)
else:
    print("Spark is not tried: it needs Java 17 or newer on the PATH")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--scale", default="1")
    args = parser.parse_args()

    def stillwatch(*words):
        return subprocess.run([args.binary, *map(str, words)], check=True, capture_output=True, text=True).stdout

    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        logs, lake, key = folder / "logs", folder / "lake", folder / "key"
        stillwatch("simulate", "hydra", "--scale", args.scale, "--out", logs)
        key.write_text("00112233445566778899aabbccddeeff\n")
        # In two halves, so that there is something to merge.
        lines = (logs / "exchanges.jsonl").read_text().splitlines(keepends=True)
        for name, half in [("first", lines[::2]), ("second", lines[1::2])]:
            (folder / name).mkdir()
            (folder / name / "exchanges.jsonl").write_text("".join(half))
            stillwatch("lake", "add", folder / name, "--lake", lake, "--key-file", key)
        expected = by_log(logs / "exchanges.jsonl")
        for when in ["as added", "merged"]:
            if when == "merged":
                stillwatch("lake", "compact", "--lake", lake, "--data", folder / "nowhere")
            files = len(list(lake.rglob("*.parquet")))
            for name, (module, count) in TOOLS.items():
                found = count(str(lake))
                wrong = [key for key, value in expected.items() if found[key] != value]
                bad += bool(wrong)
                outcome = "the same" if not wrong else "; ".join(f"{key}: {found[key]}, not {expected[key]}" for key in wrong)
                print(f"{name} {module.__version__}, {when} ({files} files): {found['exchanges']} exchanges, {outcome}")
    print(f"{2 * len(TOOLS) - bad} passed, {bad} failed")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
