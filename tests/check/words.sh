#!/bin/sh
# Every directive of the configuration schema is documented where people look for it, and the default files load.
cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 exec python3 - <<'PY'
import re
import sources

problems = []
rows = []
for path in sources.files(".c", folders=("conf",)):
    if "schema_" not in path:
        continue
    found = re.findall(r"\{ROW\((\w+), \"(\w+)\"(.*?)\},\n", sources.text(path), re.S)
    rows += found
    for context, name, rest in found:
        for wanted in (".doc", ".example", ".syntax"):
            if wanted not in rest:
                problems.append(f"{path}: {context} {name} has no {wanted}")
if len(rows) < 10:
    problems.append(f"only {len(rows)} directives found: this check does not see them any more")
sources.finish(f"words: {len(rows)} directives, all documented", problems)
PY
