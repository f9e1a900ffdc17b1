"""What the checks share: our C files, and their text without comments and string contents, line numbers kept."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("proxy", "store", "conf", "admin", "www")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*endings, folders=FOLDERS):
    """Paths below the root, sorted."""
    found = []
    for folder in folders:
        for place, inner, names in os.walk(os.path.join(ROOT, folder)):
            inner[:] = [name for name in inner if name not in ("node_modules", "dist", "build")]
            found += [os.path.relpath(os.path.join(place, name), ROOT) for name in names if name.endswith(endings)]
    return sorted(found)


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as data:
        return data.read()


def without_comments(source, keep_strings=False):
    """Comments become blanks; strings become "" unless they are kept."""
    def replace(found):
        piece = found[0]
        if piece[0] == "/":
            return re.sub(r"[^\n]", " ", piece)
        return piece if keep_strings else piece[0] * 2
    return TOKEN.sub(replace, source)


def finish(name, problems):
    """The last line and the exit status of a check."""
    for problem in problems:
        print(f"    # {problem}")
    print(f"{'not ok' if problems else 'ok'} - {name}")
    sys.exit(1 if problems else 0)
