import csv
import io

from collapse_guard import Look
from collapse_guard.integrations.run_report.table import run_table
from tests.run_records.made import a_record, an_alert


def test_a_line_for_each_look_and_no_cell_is_a_formula() -> None:
    looks = (
        Look(0, {"tail_retention": 1.0}, {"tail_retention": 0.1}),
        Look(4, {"gap": -0.5}, {}, is_full=False, alerts=(an_alert(4, "=HYPERLINK(1)"),)),
    )
    text = run_table({"=1+1": a_record(*looks), "b": a_record(looks[0])})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["run"] for row in rows] == ["'=1+1", "'=1+1", "b"]
    assert [row["step"] for row in rows] == ["0", "4", "0"]
    assert rows[0]["tail_retention_se"] == "0.1"
    assert rows[1]["tail_retention"] == ""
    assert rows[1]["gap"] == "-0.5"
    assert rows[1]["alerts"] == "'=HYPERLINK(1)"
