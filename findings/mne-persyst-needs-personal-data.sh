#!/usr/bin/env bash
# MNE reads a Persyst .lay only where it names birth date, sex and hand of the patient.
#
# Expected (a guess): what stands under [Patient] is optional, as MNE's own comment on it says; a .lay
#   from which the patient was removed is read with its comments.
# What happens: without BirthDate a TypeError ("argument of type 'NoneType' is not iterable"), with it
#   and without Sex a KeyError, with both and without Hand a KeyError. With all three it is read, and
#   its comments have their times, durations and commas.
# Version: MNE-Python 1.13.2. Date: 2026-11-30.
# Why it matters: files that were de-identified are those that are shared; their comments, marks of
#   seizures among them, are then not read, and the error names nothing of the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mne==1.13.2
env/bin/python - <<'EOF'
import mne

print("mne", mne.__version__)
mne.set_log_level("ERROR")
with open("night.dat", "wb") as file:
    file.write(bytes(2 * 60))
LAY = """[FileInfo]
File=night.dat
FileType=Interleaved
SamplingRate=1
HeaderLength=0
Calibration=1
WaveformCount=1
DataType=0
[ChannelMap]
Fp1-Ref=1
[Patient]
TestDate=03/02/2026
TestTime=22:00:00
{}[Comments]
12.500,3.250,0,100,sz onset, left arm
"""
said, personal = {}, ("BirthDate=01/01/1900\n", "Sex=f\n", "Hand=r\n")
for number in range(4):
    with open("night.lay", "w") as file:
        file.write(LAY.format("".join(personal[:number])))
    try:
        found = mne.io.read_raw_persyst("night.lay").annotations
        said[number] = [(one["onset"], one["duration"], one["description"]) for one in found]
    except Exception as error:
        said[number] = type(error).__name__
    print(number, "personal facts:", said[number])
assert said == {
    0: "TypeError", 1: "KeyError", 2: "KeyError", 3: [(12.5, 3.25, "sz onset, left arm")]
}, "the behaviour has changed"
EOF
