import json

import pytest

from collapse_guard.integrations.command_line.options import print_json


def test_one_object_is_printed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"word": "naïve", "value": 0.5})
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "naïve" in captured.out
    assert json.loads(captured.out) == {"word": "naïve", "value": 0.5}
    with pytest.raises(ValueError, match="JSON"):
        print_json({"value": float("nan")})
