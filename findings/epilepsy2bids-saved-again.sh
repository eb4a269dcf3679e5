#!/usr/bin/env bash
# SzCORE's own tables through epilepsy2bids: touching seizures overlap, and n/a becomes nan.
#
# Expected (a guess): a valid table that is loaded and saved is the same table; seizures that touch do
#   so in the file, too.
# What happens: onset and duration are rounded to 0.01 s each on their own, so the end of one seizure
#   can lie 0.01 s after the onset of the next (171 of 3,000 pairs whose first onset is between 0 and 1
#   s). A confidence "n/a" is saved as "nan", which is neither a number from 0 to 1 nor BIDS's n/a.
#   A type that the package does not know is loaded as the text "n/a", and `getEvents` then ends in an
#   AttributeError.
# Version: epilepsy2bids 0.0.7. Date: 2026-11-29.
# Why it matters: strict readers refuse both files, lenient ones take the two seizures for one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check epilepsy2bids==0.0.7
env/bin/python - <<'EOF'
from importlib.metadata import version

from epilepsy2bids.annotations import Annotations

print("epilepsy2bids", version("epilepsy2bids"))
HEAD = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"


def saved(annotations):
    annotations.saveTsv("saved.tsv")
    with open("saved.tsv") as file:
        return [line.rstrip("\n").split("\t") for line in file][1:]


first, second = saved(Annotations.loadEvents([(10.006, 15.014), (15.014, 20.0)], 3600.0))
end = float(first[0]) + float(first[1])
print(f"seizures of 10.006 to 15.014 and 15.014 to 20 s: the first ends at {end:.2f}, the second"
      f" begins at {second[0]}")
pairs = overlaps = 0
for onset in range(1000):  # ms
    for length in (5001, 5005, 5009):
        one, two = saved(Annotations.loadEvents(
            [(onset / 1000, (onset + length) / 1000), ((onset + length) / 1000, 20.0)], 3600.0
        ))
        pairs += 1
        overlaps += float(one[0]) + float(one[1]) > float(two[0]) + 0.005
print(f"{overlaps} of {pairs} touching pairs overlap in the file")

with open("given.tsv", "w") as file:
    file.write(HEAD + "100.00\t20.00\tsz_foc_ia_nm\tn/a\tn/a\t2026-03-01 22:00:00\t3600.00\n")
(again,) = saved(Annotations.loadTsv("given.tsv"))
print("confidence n/a, loaded and saved:", again[3])
with open("given.tsv", "w") as file:
    file.write(HEAD + "0.00\t30.00\timpd\tn/a\tn/a\t2026-03-01 22:00:00\t3600.00\n")
loaded = Annotations.loadTsv("given.tsv")
try:
    failed = str(loaded.getEvents())
except AttributeError as error:
    failed = f"AttributeError: {error}"
print("impd:", loaded.events[0]["eventType"], "-", failed)
assert (round(end, 2), second[0]) == (15.02, "15.01"), "the behaviour has changed"
assert overlaps > 100, "the behaviour has changed"
assert again[3] == "nan" and failed.startswith("AttributeError"), "the behaviour has changed"
EOF
