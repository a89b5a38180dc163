"""Pages of HTML out of templates that lie beside the code which fills them in."""

from pathlib import Path

from collapse_guard.extras import require


def filled_in(template: Path, **values: object) -> str:
    """A template of jinja2 with values in it, all of them shown as text unless it says `safe`.

    Args:
        template: The file.
        values: By the names that it has for them; it may have no others.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template(template.name).render(**values)
    return page
