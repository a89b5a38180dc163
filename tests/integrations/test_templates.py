from pathlib import Path

import jinja2
import pytest

from collapse_guard.integrations.templates import filled_in


def test_values_are_text_and_all_of_them_have_to_be_there(tmp_path: Path) -> None:
    template = tmp_path / "page.html.j2"
    template.write_text("{% if said %}\n<p>{{ said }}</p>\n{% endif %}\n{{ picture|safe }}")
    page = filled_in(template, said="<b>&</b>", picture="<svg></svg>")
    assert page == "<p>&lt;b&gt;&amp;&lt;/b&gt;</p>\n<svg></svg>"
    with pytest.raises(jinja2.UndefinedError, match="picture"):
        filled_in(template, said="")
