"""HED tags of signs, checked by hedtools against schemas on this machine.

HED (Hierarchical Event Descriptors) are the tags that BIDS has for events; its library SCORE has
those of seizure semiology. hedtools brings the released schemas along, so that nothing is fetched:
a schema that it does not bring is a file. Names differ between versions of SCORE: 1.x says
Semiology-motor-dystonic, 2.x Semiology-dystonic.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from semiology.errors import UserError

# "8.4.0", "score_2.1.0", and with the prefix that its tags have: "sc:score_2.1.0"
VERSION = re.compile(r"(?:([A-Za-z]+):)?((?:[a-z]+_)?\d+\.\d+\.\d+|.+\.xml)")


def check_tags(tags: Mapping[str, str], schemas: Sequence[str], where: str | Path) -> str:
    """Check tags; returns what to tell the user, "" where they were checked.

    Args:
        tags: sign -> its tags.
        schemas: as `HEDVersion` in BIDS' dataset_description.json, or files of schemas.
        where: the file that they stand in, for errors.

    Raises:
        UserError: a schema that is not here, tags that are not valid.
    """
    try:
        from hed import HedString
        from hed.errors import HedFileError
        from hed.schema import HedSchemaGroup
    except ImportError:
        return "HED tags were written and not checked: hedtools is not installed (extra hed)"
    try:
        loaded = [_schema(one, where) for one in schemas]
        schema = loaded[0] if len(loaded) == 1 else HedSchemaGroup(loaded)
    except HedFileError as error:
        raise UserError(
            f"{where}: hed: schemas: {error.message.rstrip('.')}; correct them"
        ) from None
    for sign, text in tags.items():
        issues = HedString(text, schema).validate()
        if issues:
            more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
            raise UserError(f"{where}: hed: {sign!r}: {_in_a_line(issues[0])}{more}; correct it")
    return ""


def _schema(name: str, where: str | Path) -> Any:
    from hed import load_schema

    found = VERSION.fullmatch(name)
    if found is None:
        raise UserError(f"{where}: hed: {name!r} is no schema; write 8.4.0, sc:score_2.1.0 say")
    prefix, version = found.groups()
    if version.endswith(".xml"):
        path = Path(where).parent / version
    else:
        own = f"HED_{version}.xml" if "_" in version else f"HED{version}.xml"
        path = Path(str(files("hed") / "schema" / "schema_data" / own))
    if not path.is_file():
        why = (
            f"there is no schema {path}; correct it"
            if version.endswith(".xml")
            else f"hedtools does not bring the schema {name}, and nothing is fetched; name its file"
            " (.xml)"
        )
        raise UserError(f"{where}: hed: {why}")
    return load_schema(str(path), schema_namespace=prefix)


def _in_a_line(issue: Mapping[str, Any]) -> str:
    return f"{' '.join(str(issue['message']).split()).rstrip('.')} ({issue['code']})"
