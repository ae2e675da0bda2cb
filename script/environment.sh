# Sourced by the scripts beside it: find Python, make virtual environments, say what is missing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export PIP_DISABLE_PIP_VERSION_CHECK=1
# Hundreds of processes read what one has compiled; it is not among the sources.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX=$root/.cache/bytecode

fail() {
    printf '\n%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

# find_python: sets $python to a Python 3.11 or later that has the venv module.
find_python() {
    local candidate without_venv=
    python=
    for candidate in ${PYTHON:-} python3.11 python3 python3.12 python3.13 python3.14 python; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    [ -n "$without_venv" ] && fail "$without_venv has no venv module.
On Debian and Ubuntu it is a package of its own: apt-get install python3-venv"
    fail "Holdfast needs Python 3.11 or later, and none was found.
Install one, or name it: PYTHON=/path/to/python3 $0"
}

# make_venv FOLDER PYTHON NAME...: a virtual environment in which requirements/NAME.txt (pinned,
# with hashes) are installed; nothing is done where they are already.
make_venv() {
    local folder=$1 with=$2 name version
    shift 2
    version=$("$with" --version)
    if [ "$("$folder/bin/python" --version 2>/dev/null)" != "$version" ]; then
        rm -rf "$folder"
        "$with" -m venv "$folder" || fail "$with could not make a virtual environment in $folder."
    fi
    for name; do
        cmp -s "requirements/$name.txt" "$folder/$name.installed" && continue
        echo "installing requirements/$name.txt into $folder"
        "$folder/bin/python" -m pip install --quiet --require-hashes --no-deps \
            -r "requirements/$name.txt" || fail "requirements/$name.txt could not be installed.
If the messages above speak of connections, there is no network here or a proxy stands between;
pip takes its settings from PIP_INDEX_URL and HTTPS_PROXY."
        cp "requirements/$name.txt" "$folder/$name.installed"
    done
}
