"""The error for faults that the user can correct."""


class UserError(ValueError):
    """Something in the user's input or set-up is wrong.

    The message says in one line what was wrong, where (file, row, column, frame) and what to do.
    The command line prints it without a traceback and exits with a non-zero status; from Python it
    is a ValueError.

    Examples
    --------
    >>> try:
    ...     semiology.read_tracks("no_such_file.nc")
    ... except semiology.UserError as error:
    ...     print(error)
    no_such_file.nc: no such file
    """
