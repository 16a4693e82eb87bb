from pathlib import Path

from pairscope.ingest.replayed import clear_replayed, mark_replayed


def test_a_replay_that_was_played_to_its_end_leaves_nothing_of_its_tape_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "tape.duckdb"
    sealed = tmp_path / "tape.days" / "trades" / "1.parquet"
    sealed.parent.mkdir(parents=True)
    for file in (path, sealed, tmp_path / "tape.duckdb.wal"):
        file.write_bytes(b"x")
    clear_replayed(path)
    assert sealed.exists()
    mark_replayed(path)
    clear_replayed(path)
    assert list(tmp_path.iterdir()) == []
