"""The section of a report on a table: the importance of its columns, and the partial dependence on the top ones."""

from html import escape

from zoo.data.splits import Splits
from zoo.inference.predictor import Predictor
from zoo.inference.table_explanation import MIN_ROWS, explain, takes_tables

MULTIPLY_ADDS = 5e9  # about 0.2 s on one core of a CPU; what is measured must not depend on the machine
N_PICTURES = 3


def importance(predictor: Predictor, splits: Splits) -> str:
    """The section, measured on the test split; "" for other data than tables, and for too few rows."""
    if not takes_tables(predictor) or len(splits.test) < MIN_ROWS:  # type: ignore[arg-type]
        return ""
    explained = explain(predictor, splits.test, multiply_adds=MULTIPLY_ADDS, n_pictures=N_PICTURES)
    figures = "".join(f"<figure>{chart}</figure>" for chart in explained.charts())
    return f"""<h2>Importance of the columns</h2>
<p>On the test split: {escape(explained.how)}</p>
<p>Columns that say the same share their importance. A curve is the mean answer where every row gets the same value of
one column; faint lines are single rows. All of it tells what the model does, not what causes what.</p>
<div class="grid">{figures}</div>"""
