# shellcheck shell=bash
# ./dev faults: the fault lab.

readonly FAULT_PACKAGES=(
    "iproute2|ip|iproute2, which links the network namespaces of the fault lab"
    "nftables|nft|nftables, which drops and rejects packets between ingest and writer"
)

# A network and mounts of the lab's own: what it puts up there goes with it, however it ends.
readonly IN_NAMESPACES='ip link set lo up && exec "$@"'

# Sets FAULT_SHELL, the command that the lab runs under.
choose_namespaces() {
    local way
    FAULT_SHELL=(env FAULTS_NAMESPACES=0)
    for way in "" --map-root-user; do
        # Unquoted on purpose: none or one option.
        # shellcheck disable=SC2086
        if unshare $way --mount --net --propagation private bash -c "$IN_NAMESPACES" _ true 2>/dev/null; then
            # shellcheck disable=SC2206
            FAULT_SHELL=(env FAULTS_NAMESPACES=1 unshare $way --mount --net --propagation private
                bash -c "$IN_NAMESPACES" _)
            return 0
        fi
    done
    warn "this user may not have namespaces of its own: the scenarios that need them are left out."
}

fault_lab() {
    if [[ ${LIST:-0} != 1 ]]; then
        need_packages "${DATABASE_PACKAGES[@]}"
        # Scenarios that need them say so where they are not to be had.
        try_packages "${FAULT_PACKAGES[@]}" || true
    fi
    need_binaries
    [[ -x $BIN_DIR/FaultLab ]] || die "there is no FaultLab in $BIN_DIR. ./dev build makes it."
    forget_settings
    choose_namespaces
    export SENDENSE_BIN_DIR=$BIN_DIR FAULTS_LOGS=${FAULTS_LOGS:-${TMPDIR:-/tmp}/sendense-faults-$UID}
    supervise "${FAULT_SHELL[@]}" "$BIN_DIR/FaultLab"
}
