import io

from rich.console import Console

from collapse_guard.audit import TextAudit, audit_texts
from collapse_guard.integrations.command_line.audit_view import print_audit
from tests.audit.comparison.languages import zipf_texts


def shown(audit: TextAudit, width: int = 80) -> str:
    file = io.StringIO()
    print_audit(Console(file=file, width=width), audit, {})
    return file.getvalue()


def test_the_verdict_comes_first_and_lines_fit() -> None:
    human = zipf_texts(200, seed=0)
    overused = [f"{text} [bold]delve[/bold]" for text in zipf_texts(200, seed=1, temperature=0.6)]
    text = shown(audit_texts(human, overused))
    assert text.startswith("Not fit to be trained on alone:")
    assert "delve" in text
    # What stands in texts is no markup.
    assert "[bold]" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "human share" in text


def test_text_that_is_fit_is_called_so() -> None:
    human, fresh = (zipf_texts(200, seed=seed) for seed in (0, 1))
    text = shown(audit_texts(human, fresh))
    assert text.startswith("Nothing speaks against")
    assert "Vanished" not in text
