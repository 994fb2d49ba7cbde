# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034
# What must be installed: apt packages, and the Swift toolchain.

readonly SWIFT_VERSION_MIN=6.2

# Package, what shows that it is there (a command, or a file), why it is needed.
readonly BUILD_PACKAGES=(
    "libzmq3-dev|/usr/include/zmq.h|ZeroMQ, the message queue between ingest and writer"
    "libmariadb-dev|/usr/include/mariadb/mysql.h|MariaDB Connector/C, the services' way to the database"
    "libsqlite3-dev|/usr/include/sqlite3.h|SQLite, in which ingest keeps what old clients tell during an outage"
    "libcurl4-openssl-dev|/usr/include/*/curl/curl.h /usr/include/curl/curl.h|libcurl, for backup clients"
    "libnbd-dev|/usr/include/libnbd.h|libnbd, with which backup clients read and write NBD exports"
)
# What the tests of the backup client copy from and to, and what the bench holds it against.
readonly NBD_PACKAGES=(
    "nbdkit|nbdkit|nbdkit, the NBD server of the tests' sources"
    "qemu-utils|qemu-nbd|qemu-nbd and qemu-img, which serve and compare the tests' images"
)
# What the tests take for servers with TLS and for terminals.
readonly TEST_PACKAGES=(
    "openssl|openssl|openssl, which makes the certificates of the tests"
    "python3|python3|python3, the tests' HTTPS server"
)
readonly BENCH_COPY_PACKAGES=(
    "${NBD_PACKAGES[@]}"
    "libnbd-bin|nbdcopy|nbdcopy, beside which the backup client is measured"
)
readonly DATABASE_PACKAGES=(
    "mariadb-server-core|mariadbd|the MariaDB server for a private instance (without a system service)"
    "mariadb-client-core|mariadb|the MariaDB client"
    "mariadb-client|mysqladmin|the commands of the MariaDB client (mysqladmin and others)"
)
readonly GUIDE_PACKAGES=(
    "procps|watch|watch and pkill, which the guide's commands use"
    "curl|curl|curl, which the guide's commands use"
    "jq|jq|jq, which the guide's commands use"
)
readonly PROTO_PACKAGES=("protobuf-compiler|protoc|protoc, which reads envelope.proto")
readonly LINT_PACKAGES=("shellcheck|shellcheck|shellcheck, which reads the shell scripts")
readonly COMPOSE_PACKAGES=("docker-compose|docker-compose|docker-compose, which reads compose.yaml")

is_there() {
    local probe
    # Unquoted on purpose: a probe may be several patterns.
    # shellcheck disable=SC2086
    set -f && set -- $1 && set +f
    for probe in "$@"; do
        if [[ $probe == /* ]]; then
            compgen -G "$probe" >/dev/null && return 0
        else
            command -v "$probe" >/dev/null && return 0
        fi
    done
    return 1
}

# As root, by sudo where this is not root.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif [[ -t 0 ]]; then
        sudo "$@"
    else
        # Nobody is there to type a password.
        sudo -n "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install -y --no-install-recommends "$@"
}

# Installs the missing ones of the packages described, saying what and why. Fails where it cannot.
try_packages() {
    local entry package probe why missing=() remedy
    for entry in "$@"; do
        IFS='|' read -r package probe why <<<"$entry"
        is_there "$probe" && continue
        ((${#missing[@]} > 0)) || say "Missing apt packages:" >&2
        printf '  %-22s %s\n' "$package" "$why" >&2
        missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    remedy="apt-get update && apt-get install -y ${missing[*]}"
    if [[ ${NO_INSTALL:-0} == 1 ]]; then
        warn "NO_INSTALL=1: nothing was installed. As root: $remedy"
        return 1
    fi
    if ! command -v apt-get >/dev/null; then
        warn "there is no apt-get on this system. Install the equivalents of: ${missing[*]}"
        return 1
    fi
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        warn "installing needs root, and there is no sudo. As root: $remedy"
        return 1
    fi
    step "Installing them with apt-get$( ((EUID == 0)) || echo ' (by sudo)')" >&2
    # The lists are fetched only where they are missing or too old for the first try.
    if ! apt_install "${missing[@]}" >&2; then
        step "Once more with fresh package lists" >&2
        as_root apt-get -q -o DPkg::Lock::Timeout=300 update >&2
        if ! apt_install "${missing[@]}" >&2; then
            warn "apt-get failed (its words are above). Mend that, then as root: $remedy"
            return 1
        fi
    fi
    hash -r
}

need_packages() { try_packages "$@" || exit 1; }

need_swift() {
    local swiftly=${SWIFTLY_BIN_DIR:-${HOME:-}/.local/share/swiftly/bin} version
    command -v swift >/dev/null || PATH=$PATH:$swiftly
    command -v swift >/dev/null \
        || die "there is no swift in PATH. Install Swift $SWIFT_VERSION_MIN or newer" \
        "(https://www.swift.org/install/linux), or put its usr/bin folder into PATH; with sudo, PATH has to" \
        "be handed on: sudo env \"PATH=\$PATH\" ./dev …"
    version=$(swift --version 2>/dev/null | sed -nE '/Swift version/{s/.*Swift version ([0-9.]+).*/\1/p;q}')
    [[ -n $version ]] \
        || die "'swift --version' names no version. Its own words: $(swift --version 2>&1 | tail -n 3)"
    printf '%s\n' "$SWIFT_VERSION_MIN" "$version" | sort -V -C \
        || die "Swift $version ($(command -v swift)) is too old; this needs $SWIFT_VERSION_MIN or newer:" \
            "https://www.swift.org/install/linux"
}
