#!/bin/sh
# Every magic number of a struct is its own: two alike would let CHECK_OBJ take one struct for another.
cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 exec python3 - <<'PY'
import re
import sources

seen, problems = {}, []
PATTERN = re.compile(r"\b(\w*MAGIC\w*)\b\s*=?\s*\(?\s*(?:\(uint32_t\)\s*)?(0[xX][0-9a-fA-F]+|\d+)[uUlL]*")
for path in sources.files(".c", ".h"):
    for number, line in enumerate(sources.without_comments(sources.text(path)).splitlines(), 1):
        if not re.search(r"#\s*define|=|,", line):
            continue
        found = PATTERN.search(line)
        if not found or re.search(r"==|!=", line):
            continue
        value = int(found[2], 0)
        if value == 0:
            continue
        if value in seen and not seen[value].startswith(found[1] + " "):
            problems.append(f"{path}:{number}: {found[1]} is also {seen[value]}")
        seen[value] = f"{found[1]} at {path}:{number}"
if len(seen) < 2:
    problems.append(f"only {len(seen)} magic numbers found: this check does not see them any more")
sources.finish(f"magic: {len(seen)} numbers, all different", problems)
PY
