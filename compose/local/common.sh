# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034,SC2153
# What every command shares: words to the user, cleaning up, folders, locks, ports, HTTP probes.

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf 'dev: %s\n' "$*" >&2; }
die() {
    warn "$@"
    exit 1
}

# --- Cleaning up -------------------------------------------------------------------------------------

# Functions to run at the end, however it comes; the last one added runs first.
CLEANUPS=()
at_exit() { CLEANUPS=("$1" "${CLEANUPS[@]}"); }

run_cleanups() {
    EXIT_STATUS=$?
    local cleanup
    # A second Ctrl-C must not leave the work half done; each clean-up has its own time limit.
    trap '' INT TERM HUP PIPE
    trap - EXIT
    # Nobody reads on after SIGPIPE.
    ((EXIT_STATUS != 141)) || exec >/dev/null
    for cleanup in "${CLEANUPS[@]}"; do "$cleanup"; done
    exit "$EXIT_STATUS"
}

trap run_cleanups EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

# --- Folders -----------------------------------------------------------------------------------------

# A folder of this user's own, for when the repository's belong to somebody else.
personal_folder() {
    local folder
    for folder in "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/sendense-telemetry" \
        "${TMPDIR:-/tmp}/sendense-telemetry-$UID"; do
        if mkdir -p "$folder" 2>/dev/null && [[ -O $folder && -w $folder ]]; then
            printf '%s\n' "$folder"
            return 0
        fi
    done
    die "neither the home folder nor ${TMPDIR:-/tmp} can be written. Set TMPDIR to a folder of yours."
}

# Can this user keep files in that folder of the repository's (there already, or yet to be made)?
is_own_folder() {
    if [[ -e $1 ]]; then
        [[ -O $1 && -w $1 && -x $1 ]]
    else
        [[ -w $(dirname "$1") ]]
    fi
}

# Sets STATE, the folder of the stack (absolute), and the paths in it.
use_state() {
    if [[ -n ${1:-} ]]; then
        STATE=$1
    elif [[ -n ${SENDENSE_STATE_DIR:-} ]]; then
        STATE=$SENDENSE_STATE_DIR
    elif is_own_folder "$ROOT/.local"; then
        STATE=$ROOT/.local
    else
        # Root and users side by side: mixed owners in one database folder would break it for both.
        STATE=$(personal_folder)/local || exit 1
        warn "$ROOT/.local belongs to another user; this stack lives in $STATE."
    fi
    mkdir -p "$STATE" || die "cannot make $STATE. Set SENDENSE_STATE_DIR to a folder that you can write."
    STATE=$(cd "$STATE" && pwd -P) || exit 1
    [[ -w $STATE ]] || die "cannot write $STATE. Set SENDENSE_STATE_DIR to a folder that you can write."
    RUN_DIR=$STATE/run
    LOG_DIR=$STATE/logs
    STACK_ENV=$STATE/stack.env
    mariadb_paths
}

# --- Locks -------------------------------------------------------------------------------------------

# Two commands that change one stack take turns. File descriptor 9 holds the lock until the script ends;
# `launch` closes it for the services, which would hold it for ever.
lock_state() {
    exec 9>"$STATE/lock" || die "cannot write $STATE/lock."
    flock -n 9 && return 0
    say "Another ./dev command is at work on $STATE; waiting for it."
    # In the background: a wait can be interrupted by a signal, a command in the foreground cannot.
    flock -w 300 9 &
    wait $! || die "it did not end within 5 minutes. 'fuser $STATE/lock' shows which process it is."
}

# --- Ports -------------------------------------------------------------------------------------------

port_is_free() {
    local hex
    printf -v hex ':%04X' "$1"
    ! cat /proc/net/tcp /proc/net/tcp6 2>/dev/null \
        | awk -v port="$hex" '
            $4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
            END { exit !found }'
}

# Between the choice of a port and the service's bind, other stacks that start at the same time must not
# choose it too: a file named like the port says who means to use it.
PORT_CLAIMS=${TMPDIR:-/tmp}/sendense-ports-$UID
claim_port() {
    local claim=$PORT_CLAIMS/$1 pid start
    port_is_free "$1" || return 1
    if ! mkdir -p "$PORT_CLAIMS" || [[ ! -O $PORT_CLAIMS ]]; then
        die "cannot write $PORT_CLAIMS. Remove it, or set TMPDIR."
    fi
    if { read -r pid start <"$claim"; } 2>/dev/null && is_alive "$pid" "$start"; then return 1; fi
    rm -f "$claim"
    (
        set -o noclobber
        printf '%s %s\n' "$$" "$(process_start $$)" >"$claim"
    ) 2>/dev/null
}

# Ours, and those of commands that were killed.
drop_port_claims() {
    local claim pid start
    for claim in "$PORT_CLAIMS"/*; do
        { read -r pid start <"$claim"; } 2>/dev/null || continue
        if [[ $pid == "$$" ]] || ! is_alive "$pid" "$start"; then rm -f "$claim"; fi
    done
    rmdir "$PORT_CLAIMS" 2>/dev/null
}

# Sets PORT: the preferred one where it is free, else another, said so. Below 32768, where Linux takes the
# ports of outgoing connections from.
choose_port() {
    local preferred=$1 purpose=$2 try
    if [[ $preferred != any ]] && claim_port "$preferred"; then
        PORT=$preferred
        return 0
    fi
    for ((try = 0; try < 200; try++)); do
        PORT=$((20000 + RANDOM % 12000))
        claim_port "$PORT" || continue
        [[ $preferred == any ]] || say "Port $preferred is taken; the $purpose uses $PORT."
        return 0
    done
    die "found no free port between 20000 and 32000 for the $purpose."
}

# --- HTTP --------------------------------------------------------------------------------------------

# GET http://ADDRESS/PATH: the status on the first line, then the body. By bash itself, since a fresh
# Debian has no curl. Fails when nobody listens or nothing comes within 2 s.
http_get() (
    host=${1%:*}
    host=${host#[}
    exec 3<>"/dev/tcp/${host%]}/${1##*:}" || exit 1
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
    IFS=' ' read -r -t 2 -u 3 _ status _ || exit 1
    printf '%s\n' "$status"
    timeout 2 sed '1,/^\r*$/d' <&3
    exit 0
) 2>/dev/null
