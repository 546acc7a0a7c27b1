"""frames.parquet: the same table as frames.csv with types and without rounding, for pandas, polars, DuckDB and R."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from dives.partial import PartialFile, writing
from dives.writers.base import Dive
from dives.writers.frame_table import FrameTable, Kind, Value
from realtime.frames import FrameResult
from realtime.sightings import Sighting

METADATA_KEY = "reeflens"
GROUP_ROWS = 16_384  # nine minutes at 30 frames/s: about 20 MB in memory, and small enough to skip by time
TYPES: dict[Kind, pa.DataType] = {
    Kind.NAME: pa.dictionary(pa.int32(), pa.string()),
    Kind.WHOLE: pa.int64(),
    Kind.SECONDS: pa.float64(),
    Kind.SCORE: pa.float32(),
    Kind.UTC: pa.timestamp("us", tz="UTC"),
    Kind.MEASURE: pa.float64(),
}
NULLABLE = (Kind.NAME, Kind.UTC, Kind.MEASURE)


class FramesParquet:
    """The columns of dives.writers.frame_table, in row groups. The file says which model and recording it is of.

    model_sha256: of the model's file. What is written depends on nothing but the rows, the arguments and the version of
    pyarrow, whose name the format keeps in the file.
    """

    name: ClassVar[str] = "frames.parquet"

    def __init__(self, model_sha256: str = "") -> None:
        self._model_sha256 = model_sha256

    def begin(self, dive: Dive, files: ExitStack) -> None:
        """Opens the file and writes what comes before the rows."""
        self._table = FrameTable(dive)
        self._rows: list[tuple[Value, ...]] = []
        facts = {
            "source": Path(dive.source).name,  # not where it lay: the same recording gives the same bytes
            "files": [file.path.name for file in dive.files.all] if dive.info.kind == "video" else [],
            "model_sha256": self._model_sha256,
            "contract": json.loads(dive.contract.to_json()),
        }
        self._schema = pa.schema(
            [pa.field(c.name, TYPES[c.kind], nullable=c.kind in NULLABLE) for c in self._table.columns],
            metadata={METADATA_KEY: json.dumps(facts, ensure_ascii=False, sort_keys=True)},
        )
        self._file = files.enter_context(PartialFile(dive.folder / self.name, ""))
        files.callback(self._abandon)
        with writing(self._file.path):
            self._parquet = pq.ParquetWriter(self._file.partial_path, self._schema, compression="zstd")

    def frame(self, row: FrameResult) -> None:
        """Takes one row; a full group goes to the disk."""
        self._rows.append(tuple(self._table.values(row)))
        if len(self._rows) == GROUP_ROWS:
            self._flush()

    def finish(self, sightings: Sequence[Sighting]) -> None:
        """Writes the last group and completes the file."""
        self._flush()
        with writing(self._file.path):
            self._parquet.close()
        self._file.commit()

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = zip(zip(*self._rows, strict=True), self._schema, strict=True)
        table = pa.table([pa.array(values, field.type) for values, field in columns], schema=self._schema)
        with writing(self._file.path):
            self._parquet.write_table(table, row_group_size=GROUP_ROWS)
        self._rows = []

    def _abandon(self) -> None:
        with suppress(Exception):  # completing a table on a full disk fails again; the first failure is on its way
            self._parquet.close()
