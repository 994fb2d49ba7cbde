# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034,SC2153
# ./dev bench, bench-fleet, bench-growth, bench-plots: speed, latency and cost (docs/performance.md).

readonly BENCH_PACKAGES=("nginx-light|nginx|nginx, the limit of HTTP beside which the door is measured")

# bench_program PARTS ROUNDS SECONDS: measures that, where the user does not say otherwise.
bench_program() {
    need_packages "${DATABASE_PACKAGES[@]}"
    # Without it the door has nothing beside it, and the bench says so.
    without_services try_packages "${BENCH_PACKAGES[@]}" || true
    need_bench
    [[ -z ${JSON:-} ]] || JSON=$(realpath -m "$JSON")
    export ONLY=${ONLY:-$1} ROUNDS=${ROUNDS:-$2} BENCH_SECONDS=${TOLD_SECONDS:-$3} JSON=${JSON:-}
    export SENDENSE_BIN_DIR=$BIN_DIR
    supervise "$BIN_DIR/Bench"
}

# What is measured is the optimized build, unless another one is asked for.
need_bench() {
    [[ -n $CONFIG_TOLD ]] || CONFIG=release
    need_binaries
    [[ -x $BIN_DIR/Bench ]] || die "there is no Bench in $BIN_DIR. CONFIG=$CONFIG ./dev build makes it."
    forget_stack
}

# Pictures from the files that the bench has written.
bench_plots() {
    [[ -n ${JSON:-} ]] || die "which files? JSON=FILE[,FILE], as ./dev bench JSON=FILE writes them."
    need_bench
    supervise "$BIN_DIR/Bench" plots "$JSON" "${FOLDER:-$ROOT/docs/performance}"
}

# While this file says 101, packages do not start their services (nginx would take port 80).
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
without_services() {
    local status
    if [[ -e $SERVICE_POLICY ]] || command -v nginx >/dev/null || [[ ${NO_INSTALL:-0} == 1 ]]; then
        "$@"
        return
    fi
    POLICY_IS_OURS=1
    at_exit remove_service_policy
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$SERVICE_POLICY" >/dev/null && as_root chmod 755 "$SERVICE_POLICY"
    "$@"
    status=$?
    remove_service_policy
    return "$status"
}

POLICY_IS_OURS=0
remove_service_policy() {
    ((POLICY_IS_OURS == 1)) || return 0
    as_root rm -f "$SERVICE_POLICY"
    POLICY_IS_OURS=0
}
