from collapse_guard import Look
from collapse_guard.run_records.record import RunRecord
from tests.run_records.made import an_alert


def test_alerts_are_those_of_all_looks() -> None:
    looks = tuple(Look(step, {}, {}, alerts=(an_alert(step),)) for step in (1, 2))
    record = RunRecord("collapse", "", "", None, (), {}, (Look(0, {}, {}), *looks))
    assert [alert.step for alert in record.alerts] == [1, 2]
