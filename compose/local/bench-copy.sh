# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034,SC2153
# ./dev bench-copy: the backup client beside nbdcopy, cp and qemu-img (docs/performance.md).

# Each measured run starts on a fresh target, ends when that is durable, and is followed by a run of the other
# tool: alternately, so that what else the machine does meets both. What counts is the median.
bench_copy() {
    need_packages "${BENCH_COPY_PACKAGES[@]}"
    if [[ ${SKIP_BUILD:-0} == 1 ]]; then
        need_binaries
    else
        [[ -n $CONFIG_TOLD ]] || CONFIG=release
        prepare_build
        step "Building the backup client ($CONFIG)"
        supervise swift build "${SWIFT_FLAGS[@]}" --product sendense-backup-client \
            || die "the build failed; the compiler's words are above."
        find_binaries
    fi
    COPY_SBC=$BIN_DIR/sendense-backup-client
    COPY_ROUNDS=${ROUNDS:-7}
    COPY_MEBIBYTES=${MEBIBYTES:-2048}
    # As many as nbdcopy has threads for, by itself: one for each processor, up to four.
    COPY_CONNECTIONS=${CONNECTIONS:-$(($(nproc) < 4 ? $(nproc) : 4))}
    COPY_FOLDER=$(mktemp -d "${FOLDER:-${TMPDIR:-/tmp}}/sendense-bench-copy-XXXXXX") \
        || die "there is no room for the disks; name a folder: FOLDER=…"
    at_exit end_bench_copy
    make_bench_disks
    step "$COPY_MEBIBYTES MiB, half of it data in runs of 8 MiB; $COPY_ROUNDS alternating rounds; medians"
    local part
    COPY_MISSED=()
    for part in ${ONLY:-nbd raw qcow2 four cost telemetry}; do
        case $part in
            nbd | raw | qcow2 | four | cost | telemetry) "bench_copy_$part" ;;
            *) die "ONLY=$part: it is some of 'nbd raw qcow2 four cost telemetry'." ;;
        esac
    done
    ((${#COPY_MISSED[@]} == 0)) || die "missed: $(printf '%s; ' "${COPY_MISSED[@]}")"
}

COPY_PIDS=()
end_bench_copy() {
    local pid
    for pid in "${COPY_PIDS[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    COPY_PIDS=()
    [[ -z ${COPY_FOLDER:-} ]] || rm -rf "$COPY_FOLDER"
}

# Data that no file system can shrink, and holes, by turns; four small disks are cut from it too.
make_bench_disks() {
    local offset disk quarter=$((COPY_MEBIBYTES / 4))
    COPY_SOURCE=$COPY_FOLDER/source.raw
    truncate -s "${COPY_MEBIBYTES}M" "$COPY_SOURCE"
    for ((offset = 0; offset < COPY_MEBIBYTES; offset += 16)); do
        dd if=/dev/urandom of="$COPY_SOURCE" bs=1M count=8 seek="$offset" conv=notrunc status=none || exit 1
    done
    for disk in 0 1 2 3; do
        cp --sparse=always "$COPY_SOURCE" "$COPY_FOLDER/source$disk.raw" \
            && truncate -s "${quarter}M" "$COPY_FOLDER/source$disk.raw" || exit 1
    done
    sync "$COPY_FOLDER"/*.raw
    # All reads come from memory, for both sides.
    cat "$COPY_FOLDER"/*.raw >/dev/null
}

# --- Servers -----------------------------------------------------------------------------------------

# bench_serve SOCKET COMMAND...: starts a server and waits for its socket; its pid is in COPY_PID.
bench_serve() {
    local socket=$1 tries
    shift
    rm -f "$socket"
    "$@" >/dev/null &
    COPY_PID=$!
    COPY_PIDS+=("$COPY_PID")
    for ((tries = 0; tries < 200; tries++)); do
        [[ ! -S $socket ]] || return 0
        sleep 0.05
    done
    die "$1 does not listen at $socket."
}

bench_stop() {
    kill "$1" && wait "$1" 2>/dev/null
    bench_forget "$1"
}

bench_forget() {
    local pid kept=()
    for pid in "${COPY_PIDS[@]}"; do [[ $pid == "$1" ]] || kept+=("$pid"); done
    COPY_PIDS=("${kept[@]}")
}

bench_serve_source() { # NUMBER or nothing
    bench_serve "$COPY_FOLDER/s$1" nbdkit -f -r -U "$COPY_FOLDER/s$1" file "$COPY_FOLDER/source$1.raw"
}

bench_serve_target() { # NUMBER or nothing
    local mebibytes=$COPY_MEBIBYTES
    [[ -z $1 ]] || mebibytes=$((COPY_MEBIBYTES / 4))
    rm -f "$COPY_FOLDER/target$1.qcow2"
    qemu-img create -q -f qcow2 "$COPY_FOLDER/target$1.qcow2" "${mebibytes}M" || exit 1
    bench_serve "$COPY_FOLDER/t$1" qemu-nbd -t -e 8 -f qcow2 -x "vm-disk${1:-0}" -k "$COPY_FOLDER/t$1" \
        "$COPY_FOLDER/target$1.qcow2"
}

source_uri() { printf 'nbd+unix:///?socket=%s' "$COPY_FOLDER/s$1"; }
target_uri() { printf 'nbd+unix:///vm-disk%s?socket=%s' "${1:-0}" "$COPY_FOLDER/t$1"; }

# --- Measuring ---------------------------------------------------------------------------------------

# bench_time NAME COMMAND...: appends the run's seconds, and its seconds of processor time, to the name's lists.
declare -A COPY_WALL COPY_CPU
bench_time() {
    local name=$1 told TIMEFORMAT='%R %U %S'
    shift
    told=$({ time "$@" >"$COPY_FOLDER/out" 2>&1 || echo failed; } 2>&1) || true
    [[ $told != *failed* ]] || die "$name failed: $(tail -n 5 "$COPY_FOLDER/out")"
    COPY_WALL[$name]+=" $(awk '{ print $1 }' <<<"$told")"
    COPY_CPU[$name]+=" $(awk '{ print $2 + $3 }' <<<"$told")"
}

bench_sbc() {
    "$COPY_SBC" --vm bench --no-telemetry --quiet --connections "$COPY_CONNECTIONS" \
        --log-file "$COPY_FOLDER/log" --state-dir "$COPY_FOLDER/state" "$@"
}

median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# bench_row TITLE OTHER MUST AIM [MUST_CPU AIM_CPU]: the client's speed, and its processor time, beside the other's.
bench_row() {
    local title=$1 other=$2 must=$3 aim=$4 ours theirs cpu_ours cpu_theirs
    # shellcheck disable=SC2086
    ours=$(median ${COPY_WALL[sbc]}) theirs=$(median ${COPY_WALL[$other]})
    # shellcheck disable=SC2086
    cpu_ours=$(median ${COPY_CPU[sbc]}) cpu_theirs=$(median ${COPY_CPU[$other]})
    bench_verdict "$title: speed by $other" "$(awk -v a="$theirs" -v b="$ours" 'BEGIN { printf "%.2f", a / b }')" \
        "$must" "$aim" at-least "($ours s, $other $theirs s)"
    if [[ -n ${5:-} ]]; then
        bench_verdict "$title: CPU by $other" \
            "$(awk -v a="$cpu_ours" -v b="$cpu_theirs" 'BEGIN { printf "%.2f", a / b }')" "$5" "$6" at-most \
            "($cpu_ours s, $other $cpu_theirs s)"
    fi
    COPY_WALL=() COPY_CPU=()
}

# bench_verdict WHAT VALUE MUST AIM at-least|at-most WORDS
bench_verdict() {
    local verdict
    verdict=$(awk -v v="$2" -v must="$3" -v aim="$4" -v way="$5" 'BEGIN {
        s = way == "at-least" ? 1 : -1
        if (s * v >= s * aim) print "aim"
        else if (s * v >= s * must) print "must"
        else print "MISSED"
    }')
    printf '  %-46s %6s   must %s, aim %s: %s  %s\n' "$1" "$2" "$3" "$4" "$verdict" "$6"
    [[ $verdict != MISSED ]] || COPY_MISSED+=("$1 $2 (must $3)")
}

# --- The rows ----------------------------------------------------------------------------------------

bench_copy_nbd() {
    local round source_pid
    bench_serve_source ""
    source_pid=$COPY_PID
    for ((round = 0; round < COPY_ROUNDS; round++)); do
        bench_serve_target ""
        bench_time nbdcopy nbdcopy --connections="$COPY_CONNECTIONS" --flush "$(source_uri "")" "$(target_uri "")"
        bench_stop "$COPY_PID"
        bench_serve_target ""
        bench_time sbc bench_sbc --disk "$(source_uri "")=$(target_uri "")"
        bench_stop "$COPY_PID"
    done
    bench_stop "$source_pid"
    qemu-img compare -q -f raw -F qcow2 "$COPY_SOURCE" "$COPY_FOLDER/target.qcow2" \
        || die "the copy differs from its source."
    bench_row "nbdkit to qemu-nbd qcow2" nbdcopy 1.00 1.15 1.00 0.80
}

copy_and_sync() { cp --sparse=always "$1" "$2" && sync "$2"; }

bench_copy_raw() {
    local round
    for ((round = 0; round < COPY_ROUNDS; round++)); do
        rm -f "$COPY_FOLDER/target.raw"
        bench_time cp copy_and_sync "$COPY_SOURCE" "$COPY_FOLDER/target.raw"
        rm -f "$COPY_FOLDER/target.raw"
        bench_time sbc bench_sbc --disk "$COPY_SOURCE=$COPY_FOLDER/target.raw"
    done
    cmp -s "$COPY_SOURCE" "$COPY_FOLDER/target.raw" || die "the copy differs from its source."
    rm -f "$COPY_FOLDER/target.raw"
    bench_row "raw to raw" cp 0.95 1.00
}

bench_copy_qcow2() {
    local round
    for ((round = 0; round < COPY_ROUNDS; round++)); do
        bench_serve_target ""
        # Without -t it would not flush at the end.
        bench_time qemu-img qemu-img convert -n -t writeback -f raw -O raw "$COPY_SOURCE" "$(target_uri "")"
        bench_stop "$COPY_PID"
        bench_serve_target ""
        bench_time sbc bench_sbc --disk "$COPY_SOURCE=$(target_uri "")"
        bench_stop "$COPY_PID"
    done
    qemu-img compare -q -f raw -F qcow2 "$COPY_SOURCE" "$COPY_FOLDER/target.qcow2" \
        || die "the copy differs from its source."
    bench_row "raw to qemu-nbd qcow2" qemu-img 1.00 1.20
}

four_nbdcopies() {
    local disk pids=() status=0
    for disk in 0 1 2 3; do
        nbdcopy --connections="$COPY_CONNECTIONS" --flush "$(source_uri $disk)" "$(target_uri $disk)" &
        pids+=($!)
    done
    for disk in "${pids[@]}"; do wait "$disk" || status=1; done
    return $status
}

bench_copy_four() {
    local round disk arguments=() pids=() source_pids=()
    for disk in 0 1 2 3; do
        bench_serve_source $disk
        source_pids+=("$COPY_PID")
        arguments+=(--disk "$(source_uri $disk)=$(target_uri $disk)")
    done
    for ((round = 0; round < COPY_ROUNDS; round++)); do
        for name in nbdcopy sbc; do
            pids=()
            for disk in 0 1 2 3; do
                bench_serve_target $disk
                pids+=("$COPY_PID")
            done
            if [[ $name == sbc ]]; then
                bench_time sbc bench_sbc "${arguments[@]}"
            else
                bench_time nbdcopy four_nbdcopies
            fi
            for disk in "${pids[@]}"; do bench_stop "$disk"; done
        done
    done
    for disk in "${source_pids[@]}"; do bench_stop "$disk"; done
    bench_row "four disks by four nbdcopies" nbdcopy 1.00 1.10
}
