#!/usr/bin/env bash
# Installs what `make run`, `make demo` and `make test` need beside Rust, make
# and a C compiler: redis-server 7.0 or later.
set -euo pipefail

if command -v redis-server >/dev/null; then
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    cat >&2 <<'TEXT'
redis-server is not in PATH. Install Redis 7.0 or later, then try again:
  macOS    brew install redis
  Fedora   sudo dnf install redis
  Arch     sudo pacman -S redis
TEXT
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "redis-server is not in PATH, and there is no sudo to install it: run 'apt-get install redis-server' as root" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "Installing redis-server"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
