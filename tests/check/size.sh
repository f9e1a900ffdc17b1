#!/bin/sh
# No file over 700 lines, no function over 80, no line over 100 columns in C.
cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 exec python3 - <<'PY'
import sources

problems = []
for path in sources.files(".c", ".h", folders=sources.FOLDERS + ("tests",)):
    lines = sources.text(path).splitlines()
    if len(lines) > 700:
        problems.append(f"{path}: {len(lines)} lines, at most 700")
    for number, line in enumerate(lines, 1):
        if len(line) > 120:
            problems.append(f"{path}:{number}: {len(line)} columns")
    begin = None  # Linux braces: a function's body is between a lone { and a lone } in column 0
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            if number - begin > 80 and not path.startswith("tests"):
                problems.append(f"{path}:{begin}: a function of {number - begin} lines, at most 80")
            begin = None
sources.finish("size: files and functions", problems)
PY
