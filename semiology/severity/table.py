"""Write tables of results in the format of a cohort's own tables: tab-separated, n/a where there is
no value, six significant digits.
"""

from pathlib import Path

import pandas as pd

from semiology.files import by_cell, refuse_folder, to_cell, write_text


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; an empty string is written as n/a too, and text that
    a spreadsheet would compute as `to_cell` does.

    Raises:
        UserError: the path is a folder, its folder cannot be written, or the disk is full.
    """
    refuse_folder(path)
    write_text(
        path,
        by_cell(table.replace("", "n/a"), to_cell).to_csv(
            sep="\t", index=False, na_rep="n/a", float_format="%.6g"
        ),
    )
