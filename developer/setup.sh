#!/usr/bin/env bash
# Installs what `make run`, `make demo` and `make test` need beside Rust, make
# and a C compiler: redis-server 7.0 or later. With the argument `slip` it
# installs python3-venv instead, which `make check/slip` needs, and with the
# argument `chromium` that, which `make test/browser` needs.
set -euo pipefail

if [ "${1:-}" = slip ]; then
    package=python3-venv
    # Debian's python3 alone makes no virtual environment.
    if python3 -c 'import ensurepip' 2>/dev/null; then
        exit 0
    fi
elif [ "${1:-}" = chromium ]; then
    package=chromium
    if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then
        exit 0
    fi
else
    package=redis-server
    if command -v redis-server >/dev/null; then
        exit 0
    fi
fi

if ! command -v apt-get >/dev/null; then
    if [ "$package" = redis-server ]; then
        cat >&2 <<'TEXT'
redis-server is not in PATH. Install Redis 7.0 or later, then try again:
  macOS    brew install redis
  Fedora   sudo dnf install redis
  Arch     sudo pacman -S redis
TEXT
    elif [ "$package" = chromium ]; then
        echo "chromium is not in PATH: install Chromium or Chrome, or name it in CHROMIUM, then try again" >&2
    else
        echo "python3 cannot make a virtual environment: install its module venv, then try again" >&2
    fi
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "$package is missing, and there is no sudo to install it: run 'apt-get install $package' as root" >&2
        exit 1
    fi
    as_root=(sudo)
fi

packages=("$package")
if [ "$package" = chromium ]; then
    # Without a font its pages have no text.
    packages+=(fonts-liberation)
fi
echo "Installing ${packages[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
