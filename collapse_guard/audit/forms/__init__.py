"""The form of rows: how they begin and end, how long they are, how they are laid out.

A model that can tell human rows from synthetic ones by their form keeps two modes, and learns the
sharpness of the one apart from the breadth of the other. `compare_forms` says which forms tell the
kinds apart, and by how much. Nothing here judges: forms are listed by the size of the difference.
"""

from collapse_guard.audit.forms.compare import compare_forms
from collapse_guard.audit.forms.form_report import FormDifference, FormReport

__all__ = ["FormDifference", "FormReport", "compare_forms"]
