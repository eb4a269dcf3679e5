"""Static figures: same bytes for same data, no file needed, the format of a path's ending."""

import base64
import re
from pathlib import Path

import pytest

import semiology
from semiology.errors import UserError
from semiology.evaluation.report.plots import image, line_options, new_figure, save_figure


def a_figure():
    figure, [axes] = new_figure(3.0, 2.0)
    axes.plot([0, 1], [0, 1], label="left", **line_options(1))
    return figure


def test_an_image_holds_its_figure_and_escapes_its_title():
    tag = image(a_figure(), 'Lids of <p1> "first"')
    assert tag == image(a_figure(), 'Lids of <p1> "first"')
    assert tag.startswith('<img alt="Lids of &lt;p1&gt; &#34;first&#34;" src="data:image/svg+xml;')
    svg = base64.b64decode(re.search(r'base64,([^"]+)"', tag)[1]).decode()
    assert 'width="216pt" height="144pt"' in svg  # 72 pt per inch
    assert "<dc:date>" not in svg and "#b34a00" in svg  # orange, dashed


def test_a_file_has_the_format_of_its_ending(tmp_path):
    for ending, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        save_figure(a_figure(), tmp_path / f"new/figure{ending}")
        assert (tmp_path / f"new/figure{ending}").read_bytes().startswith(start)
    with pytest.raises(UserError, match="new"):
        save_figure(a_figure(), tmp_path / "new")


def test_rows_share_the_horizontal_axis():
    _, rows = new_figure(3.0, 2.0, rows=3)
    rows[0].set_xlim(0, 7)
    assert len(rows) == 3 and rows[2].get_xlim() == (0, 7)


def test_no_other_module_makes_or_saves_a_figure():
    package = Path(semiology.__file__).parent
    makers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"pyplot|\.savefig\(|= Figure\(", path.read_text(encoding="utf-8"))
    ]
    assert makers == ["evaluation/report/plots.py"]
