import io
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from collapse_guard import Look
from collapse_guard.integrations.run_report.curves import Curve, curves_of
from collapse_guard.integrations.run_report.pictures import pictures_of
from tests.run_records.made import a_record


def curves(*names: str) -> tuple[Curve, ...]:
    looks = [Look(step, dict.fromkeys(names, 1.0 - step / 10), {}) for step in (0, 4)]
    return curves_of({"a": a_record(*looks)})


def test_each_curve_is_a_file_of_both_forms_that_others_can_open() -> None:
    found = dict(pictures_of(curves("perplexity", "tail_retention")))
    assert list(found) == [
        *("01_tail_retention.svg", "01_tail_retention.png"),
        *("02_perplexity.svg", "02_perplexity.png"),
    ]
    assert ElementTree.fromstring(found["02_perplexity.svg"]).tag.endswith("svg")
    pixels = imread(io.BytesIO(found["02_perplexity.png"]))
    assert np.ptp(pixels[..., :3]) > 0.5


@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # under so long a title
def test_a_reading_names_no_other_folder() -> None:
    found = dict(pictures_of(curves("../../mine", "a/b", "a_b", "x" * 300)))
    stems = sorted({name.rpartition(".")[0] for name in found})
    assert stems == ["01_______mine", "02_a_b", "03_a_b", "04_" + "x" * 100]
