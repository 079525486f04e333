"""Looks at the signatures of all shards together, out of core, and decides which samples go."""

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vlmkit.shards.dataset import committed, table_path
from vlmkit.shards.paths import AnyPath, copied_here
from vlmkit.shards.sample import Row
from vlmkit.tables.rows import reading

# Of equal samples the one that comes first in keep order stays: by rank, then as the input has them. Samples without
# a signature are like no other; those with a reason and none are unreadable.
_DECIDE = """
WITH signed AS (
    SELECT shard, place AS shard_place, file_row_number AS sample_place, key, signature, why, error, rank
    FROM (
        SELECT NULL::VARCHAR AS signature, NULL::VARCHAR AS why, NULL::FLOAT AS rank WHERE false
        UNION ALL BY NAME
        SELECT * FROM read_parquet($tables, filename = true, file_row_number = true, union_by_name = true)
    )
    JOIN shards USING (filename)
), decided AS (
    SELECT *, first_value(shard || '/' || key) OVER same AS winner, row_number() OVER same AS turn
    FROM signed
    WINDOW same AS (PARTITION BY signature ORDER BY rank DESC NULLS LAST, shard_place, sample_place)
)
SELECT shard, key, why, error, CASE WHEN signature IS NOT NULL THEN winner END AS duplicate_of
FROM decided
WHERE (signature IS NOT NULL AND turn > 1) OR (signature IS NULL AND why IS NOT NULL)
ORDER BY shard_place, sample_place
"""


def decide_duplicates(tables: AnyPath, shards: list[str]) -> AnyPath:
    """Reads the signature tables of the shards; writes beside them the table of samples to drop, and returns its path.

    The table is in the order of the input, with columns shard, key, why, error, duplicate_of (SHARD/KEY).
    """
    decisions = tables / "decisions.parquet"
    if decisions.exists() or not shards:  # without shards nobody asks what was decided
        return decisions
    spill = tables / "spill" if isinstance(tables, Path) else tempfile.gettempdir()
    with (
        copied_here([table_path(tables, shard) for shard in shards]) as here,
        duckdb.connect(config={"temp_directory": str(spill)}) as connection,
    ):
        paths = [str(path) for path in here]
        connection.register("shards", pa.table({"filename": paths, "shard": shards, "place": range(len(shards))}))
        found: pa.RecordBatchReader = connection.sql(_DECIDE, params={"tables": paths}).to_arrow_reader(100_000)
        with committed(decisions, tables) as file, pq.ParquetWriter(file, found.schema) as writer:
            for batch in found:
                writer.write_batch(batch)
    return decisions


def read_decisions(decisions: AnyPath, shard: str) -> dict[str, Row]:
    """What was decided of the samples of one shard, by key."""
    with reading(decisions) as file:
        rows = pq.read_table(file, filters=[("shard", "=", shard)]).to_pylist()
    return {row["key"]: row for row in rows}
