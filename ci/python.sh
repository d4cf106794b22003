# Finds a Python that is new enough. Source it; it sets PYTHON or ends the shell with a message.
# PYTHON in the environment names the one to use; otherwise the first that fits is taken.

oldest="3.11"

_fits() {
    [ "$("$1" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null)" = True ]
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        if _fits "$PYTHON"; then return 0; fi
        echo "PYTHON=$PYTHON is not a Python >= $oldest (it says: $("$PYTHON" --version 2>&1 || true))." >&2
        return 1
    fi
    seen=""
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$candidate" >/dev/null 2>&1; then
            if _fits "$candidate"; then
                PYTHON=$candidate
                return 0
            fi
            seen="$seen $candidate ($("$candidate" --version 2>&1))"
        fi
    done
    echo "No Python >= $oldest found; looked at:${seen:- nothing, there is no python3 on PATH}." >&2
    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one:" >&2
    echo "    make PYTHON=/path/to/python3.12 demo" >&2
    return 1
}
