"""What every step of the pipeline needs: outputs for later tasks, and files that are either whole or absent."""
import contextlib
import os
import pathlib


def write_outputs(**values):
    """Appends name=value lines to $BATON_OUTPUT; prints them when the script is run by hand."""
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    target = os.environ.get("BATON_OUTPUT")
    if target:
        with open(target, "a", encoding="utf-8") as file:
            file.write(lines)
    else:
        print(lines, end="")


@contextlib.contextmanager
def atomic_path(final):
    """Yields a temporary path with the same suffix, renamed to `final` at the end: a retry never sees half a file."""
    final = pathlib.Path(final)
    temporary = final.with_name(f".{os.getpid()}.{final.name}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
