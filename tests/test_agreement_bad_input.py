"""Faults of a table of scores are located in one line; what cannot be computed has a reason."""

import pytest

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.evaluation.agreement import agree, read_scores

HEADER = "participant_id\tvisit\tmachine\tr1\n"


def table(tmp_path, rows, header=HEADER, name="scores.tsv"):
    path = tmp_path / name
    path.write_text(header + rows, encoding="utf-8")
    return path


def figures(path, **options):
    found, document = agree(read_scores(path, "machine", ["r1"], **options), draws=100)
    return {figure.figure: figure for figure in found}, document


@pytest.mark.parametrize(
    ("rows", "facts"),
    [
        ("p1\tone\t1\t2\np2\tone\t1\tmild\n", ('row 3, column "r1"', "'mild'", "n/a")),
        ("p1\tone\t1,5\t2\n", ('row 2, column "machine"', "'1,5'", "write 1.5")),
        ("p1\tone\t1\tinf\n", ('row 2, column "r1"', "'inf'")),
        ("p1\tone\t1\t2\n\n\tone\t1\t2\n", ('row 4, column "participant_id"',)),
        ("p1\tn/a\t1\t2\n", ('row 2, column "visit"',)),
        (
            "p1\tone\t1\t2\np2\tone\t1\t2\np1\tone\t2\t2\n",
            ("rows 2, 4: participant p1", "visit one"),
        ),
        ("", ("no scores", "one row a participant")),
        ("p1\tone\t1\t2\t9\n", ("row 2", "5 cells", "4")),
        ("p1\tone\t1\t2\np2\tone\t1\n", ("row 3", "3 cells", "4")),
        ("p1\tone\tn/a\t2\np2\tone\t\t1\n", ("column machine", "no score")),
    ],
)
def test_a_faulty_table_is_located_by_row_and_column(tmp_path, rows, facts):
    with pytest.raises(UserError) as error:
        read_scores(table(tmp_path, rows), "machine", ["r1"], visit="visit")
    message = str(error.value)
    assert "scores.tsv: " in message and "\n" not in message
    assert [fact for fact in facts if fact not in message] == []


def test_columns_that_are_not_there(tmp_path, capsys):
    path = table(tmp_path, "p1\tone\t1\t2\n")
    assert (
        main(
            [
                "agreement",
                str(path),
                "--machine",
                "score",
                "--raters",
                "r1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 2
    )
    assert (
        'no column "score"; there are participant_id, visit, machine, r1' in capsys.readouterr().err
    )
    with pytest.raises(UserError, match=r'scores\.tsv: no column "subject"'):
        read_scores(path, "machine", ["r1"], participant="subject")
    with pytest.raises(UserError, match="name each once"):
        read_scores(path, "machine", ["machine"])


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(UserError, match=r"none\.tsv: is missing"):
        read_scores(tmp_path / "none.tsv", "machine", ["r1"])
    with pytest.raises(UserError, match="save the table as one of these"):
        read_scores(table(tmp_path, "", name="scores.xlsx"), "machine", ["r1"])
    with pytest.raises(
        UserError,
        match=r"empty\.tsv: is empty; its first row names the columns: participant_id, machine, r1",
    ):
        read_scores(table(tmp_path, "", header="", name="empty.tsv"), "machine", ["r1"])
    with pytest.raises(
        UserError, match="separated by semicolons, not commas; save it as text separated by commas"
    ):
        read_scores(
            table(tmp_path, "p1;1;2\n", header="participant_id;machine;r1\n", name="scores.csv"),
            "machine",
            ["r1"],
        )
    with pytest.raises(UserError, match='row 1, column "r1": this column is there twice'):
        read_scores(
            table(tmp_path, "p1\t1\t2\t2\n", header="participant_id\tmachine\tr1\tr1\n"),
            "machine",
            ["r1"],
        )
    (tmp_path / "book.tsv").write_bytes(b"PK\x03\x04 and what a workbook holds")
    with pytest.raises(UserError, match="is a spreadsheet workbook"):
        read_scores(tmp_path / "book.tsv", "machine", ["r1"])
    with pytest.raises(UserError, match="name each once"):
        read_scores(table(tmp_path, "p1\tone\t1\t2\n"), "machine", ["r1"], participant="machine")


def test_what_spreadsheets_write_is_read(tmp_path):
    rows = "M\xfcller\tone\t1\t2\t\np2\tone\t3\tn/a\t\n"  # with an empty column at the end
    for name, encoding in (
        ("utf16.tsv", "utf-16"),
        ("latin.tsv", "cp1252"),
        ("marked.tsv", "utf-8-sig"),
    ):
        (tmp_path / name).write_bytes(
            (HEADER.replace("\n", "\t\n") + rows).replace("\n", "\r\n").encode(encoding)
        )
        scores = read_scores(tmp_path / name, "machine", ["r1"], visit="visit")
        assert scores.table["participant"].tolist() == ["M\xfcller", "p2"] and scores.table[
            "machine"
        ].tolist() == [1, 3]
        assert len(scores.notes) == (encoding == "cp1252")


def test_a_table_with_commas_is_the_same_table(tmp_path):
    rows = "p1\tone\t1\t2\np2\tone\t2.5\tn/a\n"
    tabs = read_scores(table(tmp_path, rows), "machine", ["r1"], visit="visit")
    commas = read_scores(
        table(tmp_path, rows.replace("\t", ","), HEADER.replace("\t", ","), "scores.csv"),
        "machine",
        ["r1"],
        visit="visit",
    )
    assert tabs.table.equals(commas.table)


def test_visits_that_are_not_there(tmp_path):
    scores = read_scores(
        table(tmp_path, "p1\tone\t1\t2\np1\ttwo\t1\t2\n"), "machine", ["r1"], visit="visit"
    )
    with pytest.raises(UserError, match=r'"three".*one, two'):
        agree(scores, change=["one", "three"])
    with pytest.raises(UserError, match=r"retest.*only one"):
        agree(scores, retest=["one"])
    with pytest.raises(UserError, match="one, one"):
        agree(scores, change=["one", "one"])
    with pytest.raises(UserError, match="--visit"):
        agree(
            read_scores(table(tmp_path, "p1\tone\t1\t2\n"), "machine", ["r1"]),
            retest=["one", "two"],
        )


def test_negative_draws_and_seeds(tmp_path):
    scores = read_scores(table(tmp_path, "p1\tone\t1\t2\n"), "machine", ["r1"])
    for options, value in (({"draws": -1}, "draws=-1"), ({"seed": -1}, "seed=-1")):
        with pytest.raises(UserError, match=value):
            agree(scores, **options)


def test_raters_whose_names_make_one_file_name_keep_their_own_plots(tmp_path):
    path = table(
        tmp_path,
        "".join(f"p{n}\t{n}\t{n * n}\t{-n}\n" for n in range(3)),
        "participant_id\tmachine\tr 1\tr-1\n",
    )
    assert (
        main(
            [
                "agreement",
                str(path),
                "--machine",
                "machine",
                "--raters",
                "r 1",
                "r-1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    images = {image.read_bytes() for image in (tmp_path / "out").glob("*.png")}
    assert len(images) == 3


def test_a_constant_column_has_no_correlation_and_a_reason(tmp_path):
    found, document = figures(
        table(tmp_path, "".join(f"p{number}\tone\t{number}\t2\n" for number in range(6)))
    )
    assert sum("ICC and kappa" in note for note in document["notes"]) == 1
    assert found["spearman"].value is None
    assert [fact for fact in ("r1", "2,", "6 rows") if fact not in found["spearman"].reason] == []
    assert found["mean_absolute_error"].value == pytest.approx(9 / 6)
    same, _ = figures(table(tmp_path, "".join(f"p{number}\tone\t2\t2\n" for number in range(6))))
    assert same["kappa_quadratic"].value is same["icc_2_1"].value is None
    assert same["kappa_quadratic"].reason and same["icc_2_1"].reason
    assert same["bias"].value == 0


def test_no_interval_where_it_would_only_look_certain(tmp_path):
    """The machine sees something in one participant only: every cohort with them has nearly the
    same rank correlation.
    """
    found, _ = figures(
        table(
            tmp_path,
            "".join(
                f"p{number}\tone\t{5 if number == 7 else 0}\t{number}\n" for number in range(8)
            ),
        )
    )
    assert (
        found["spearman"].value == pytest.approx(0.577, abs=1e-3) and found["spearman"].low is None
    )
    assert "one of the participants" in found["spearman"].reason
    shifted, _ = figures(
        table(tmp_path, "".join(f"p{number}\tone\t{number + 1}\t{number}\n" for number in range(8)))
    )
    assert shifted["bias"].value == 1 and shifted["bias"].low is None
    assert "resampled" in shifted["bias"].reason
    assert shifted["bias"].reason == shifted["mean_absolute_error"].reason


def test_few_participants_are_not_resampled(tmp_path):
    """Four participants can be drawn in 35 ways only, of which many leave two: such intervals miss
    the truth too often.
    """
    rows = "".join(f"p{number}\tone\t{[0, 2, 1, 3, 4][number]}\t{number}\n" for number in range(5))
    few, _ = figures(table(tmp_path, rows.rpartition("p4")[0]))
    assert (few["spearman"].value, few["spearman"].low) == (pytest.approx(0.8), None)
    assert few["spearman"].reason == few["mean_absolute_error"].reason
    assert "4 participants" in few["spearman"].reason
    assert few["bias"].low is not None  # by Student's t
    enough, _ = figures(table(tmp_path, rows))
    assert enough["spearman"].low < 0.9 <= enough["spearman"].high


def test_one_participant_only(tmp_path):
    found, document = figures(
        table(tmp_path, "p1\tone\t1\t2\np1\ttwo\t3\t3\np1\tthree\t5\t4\n"), visit="visit"
    )
    assert found["spearman"].value == pytest.approx(1) and found["spearman"].low is None
    assert found["lower_limit"].value is None
    assert "one participant" in found["spearman"].reason
    assert found["spearman"].reason == found["lower_limit"].reason
    assert sum("one rater" in note for note in document["notes"]) == 1


def test_scores_with_ties_have_figures(tmp_path):
    found, _ = figures(
        table(
            tmp_path,
            "".join(
                f"p{number}\tone\t{number % 2}\t{number % 2 if number else 1}\n"
                for number in range(12)
            ),
        )
    )
    assert all(figure.value is not None for figure in found.values())
    assert (
        found["kappa_linear"].value == found["kappa_quadratic"].value
    )  # of two levels they are one


def test_cells_without_a_score(tmp_path):
    path = table(tmp_path, "p1\tone\t1\tn/a\np2\tone\t2\t3\np3\tone\t\t3\np4\tone\t4\t5\n")
    found, document = figures(path)
    assert (found["bias"].rows, found["bias"].value) == (2, -1)
    assert (
        "r1: 1 of 4 rows have no score" in document["notes"]
        and "machine: 1 of 4 rows have no score" in document["notes"]
    )
    none, _ = figures(table(tmp_path, "p1\tone\t1\tn/a\np2\tone\tn/a\t3\n"))
    assert {(figure.rows, figure.value) for figure in none.values()} == {(0, None)}
    assert all("machine" in figure.reason and "r1" in figure.reason for figure in none.values())


def test_a_visit_that_a_participant_misses_is_noted(tmp_path):
    rows = "".join(
        f"p{number}\t{visit}\t{number + step}\t{number}\n"
        for number in range(5)
        for visit, step in (("one", 0), ("two", number % 3))
    )
    scores = read_scores(
        table(tmp_path, rows.replace("p3\ttwo\t3\t3\n", "")), "machine", ["r1"], visit="visit"
    )
    found, document = agree(scores, change=["one", "two"], draws=100)
    response = next(
        figure
        for figure in found
        if figure.figure == "standardised_response_mean" and figure.first == "machine"
    )
    assert response.participants == 4
    assert "change of machine: left out, without a score at visit two: p3" in document["notes"]
    still = next(
        figure
        for figure in found
        if figure.figure == "standardised_response_mean" and figure.first == "r1"
    )
    assert still.reason == "every participant changed by 0"


def test_kappa_of_scores_that_are_not_ordinal(tmp_path):
    found, _ = figures(
        table(
            tmp_path,
            "".join(f"p{number}\tone\t{number}\t{number * 1.3:.2f}\n" for number in range(6)),
        )
    )
    assert (
        found["kappa_linear"].reason
        == "r1 has scores between half points: kappa is for ordinal scores"
    )
    rounded, _ = figures(
        table(
            tmp_path, "".join(f"p{number}\tone\t{number + 0.3}\t{number}\n" for number in range(6))
        )
    )
    assert (
        rounded["kappa_linear"].value == 1
        and "machine rounded to whole points" in rounded["kappa_linear"].method
    )


def test_visits_that_are_named_as_unchanged_and_as_a_change(tmp_path):
    rows = "".join(
        f"p{number}\t{visit}\t{number}\t{number}\n"
        for number in range(5)
        for visit in ("one", "two")
    )
    scores = read_scores(table(tmp_path, rows), "machine", ["r1"], visit="visit")
    for change, noted in ((["one", "two"], True), ([], False)):
        notes = agree(scores, ["one", "two"], change, draws=50)[1]["notes"]
        assert any("--retest" in note and "--change" in note for note in notes) == noted


def test_a_bias_that_grows_with_the_score_is_noted(tmp_path):
    def notes(step):
        rows = "".join(
            f"p{number}\tone\t{number * step + number % 3}\t{number}\n" for number in range(12)
        )
        return [
            note
            for note in figures(table(tmp_path, rows))[1]["notes"]
            if "proportional bias" in note
        ]

    assert (
        len(notes(2)) == 1 and "machine minus r1 changes by 0.7" in notes(2)[0] and notes(1) == []
    )


def test_scales_that_are_far_apart_are_noted(tmp_path):
    _, document = figures(
        table(
            tmp_path, "".join(f"p{number}\tone\t{number * 50}\t{number}\n" for number in range(6))
        )
    )
    assert any(note.startswith("machine has 50 times the standard") for note in document["notes"])


def test_several_rows_without_a_column_of_visits_are_repeated_measures(tmp_path):
    found, document = figures(table(tmp_path, "p1\tone\t1\t2\np1\ttwo\t3\t3\np2\tone\t5\t4\n"))
    assert (
        "participants with several rows: 1; their rows are taken as repeated measures"
        in document["notes"]
    )
    assert "Bland & Altman 2007" in found["lower_limit"].method


@pytest.mark.parametrize("name", ["nan", "NA", "None", "null", "NaN", "01", "1e3"])
def test_a_participant_may_be_called_what_programs_take_for_nothing(tmp_path, name):
    rows = f"{name}\tv1\t1\t2\np2\tv1\t2\tn/a\np3\tv1\tNaN\t3\n"
    path = table(tmp_path, rows, header="participant_id\tvisit\tmachine\tr1\n")
    scores = read_scores(path, "machine", ["r1"], visit="visit")
    assert list(scores.table["participant"]) == [name, "p2", "p3"]
    assert scores.table["machine"].isna().tolist() == [False, False, True]
    assert any(name in note for note in scores.notes) == (
        name.lower() in ["nan", "na", "none", "null"]
    )
