#!/bin/sh
# Calls that have no place in this code, or only in one.
cd "$(dirname "$0")" && PYTHONDONTWRITEBYTECODE=1 exec python3 - <<'PY'
import re
import sources

NEVER = ("strcpy strcat sprintf vsprintf strncpy strncat strtok gets atoi atol atoll atof alloca signal setjmp longjmp "
         "localtime gmtime ctime asctime strerror rand srand random system popen tmpnam mktemp").split()
ONLY = [  # calls, the one place, why
    ("malloc calloc realloc free strdup strndup asprintf vasprintf reallocarray", r"proxy/base/", "use mem_*"),
    (r"pthread_mutex_\w+ pthread_cond_\w+ pthread_rwlock_\w+ pthread_spin_\w+", r"proxy/base/", "use lock_* and cond_*"),
    ("pthread_create", r"proxy/base/", "use thread_start"),
    ("sleep usleep", r"tests/", "wait for what happens: cond_wait, poll, the loop"),
    ("time gettimeofday clock_gettime", r"proxy/base/", "use clock_*"),
]
problems = []
for path in sources.files(".c", ".h"):
    raw = sources.text(path)
    for number, line in enumerate(raw.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            problems.append(f"{path}:{number}: {line.strip()[:80]}")
    for number, line in enumerate(sources.without_comments(raw).splitlines(), 1):
        for name in NEVER:
            if re.search(rf"(?<![\w.>]){name}\s*\(", line):
                problems.append(f"{path}:{number}: {name}() is banned")
        for names, place, advice in ONLY:
            if re.match(place, path):
                continue
            for name in names.split():
                found = re.search(rf"(?<![\w.>])({name})\s*\(", line)
                if found:
                    problems.append(f"{path}:{number}: {found[1]}() here; {advice}")
for path in sources.files(".orig", ".rej", ".bak", "~", folders=sources.FOLDERS + ("tests",)):
    problems.append(f"{path}: left behind by an editor or a merge")
sources.finish("banned: calls that are not allowed", problems)
PY
