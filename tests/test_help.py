"""What `semiology --help` says of each verb."""

import pytest
from semiology.cli.phantom import PHANTOMS

from semiology.cli.main import VERBS, main


@pytest.mark.parametrize("verb", ["cohort", "events", "lift", "pretrain", "reproduce", "tracks"])
def test_a_verbs_line_names_every_action_that_the_verb_lists(capsys, verb):
    assert main([verb, "--help"]) == 0
    listed = [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")
    ]
    named = VERBS[verb].help.split(":")[0].split(" | ")
    assert [entry.split()[0] for entry in named] == listed and len(listed) > 1


def test_the_phantoms_line_names_every_phantom():
    named = VERBS["phantom"].help.split(":")[0].split(" | ")
    assert [entry.removesuffix("OUT").strip() for entry in named] == list(PHANTOMS)
