import json
import math

from hypothesis import given, strategies as st

from collapse_guard.statistics.json_values import without_nan

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_given_json_takes_it_without_nan(value: object) -> None:
    plain = without_nan(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_what_is_finite_stays_as_it_is() -> None:
    value = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
    assert without_nan(value) == value
    assert without_nan([math.nan, -math.inf, 0.0]) == [None, None, 0.0]
