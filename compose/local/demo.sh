# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034,SC2153
# ./dev demo: a stack of its own, two VMs and one client that is killed; every claim is checked at the end.

readonly DEMO_STALLED_AFTER=3 DEMO_FAILED_AFTER=8
# A slow machine takes longer than the 25 s meant; a hang is not waited for.
readonly DEMO_SECONDS_MAX=180
readonly MIB=$((1024 * 1024))
# VM, disk, MiB in all, MiB of data (the rest are holes).
readonly DEMO_DISKS=("web1 0 160 80" "web1 1 64 64" "db1 0 128 96" "lost1 0 96 96")
readonly DEMO_VMS=(web1 db1 lost1)
declare -rA DEMO_RATES=([web1]=7M [db1]=5M [lost1]=5M)
# As in the field: this VM's disks are read from an export of nbdkit's and written to one of qemu-nbd's.
readonly DEMO_NBD_VM=db1
# The client of `lost1` is killed once this much of its disk is done.
readonly DEMO_KILL_PERCENT=45

# --- Folder, images ----------------------------------------------------------------------------------

demo_is_running() {
    local held
    [[ -e $STATE/demo.lock ]] || return 1
    exec 8>"$STATE/demo.lock"
    flock -n 8 && held=1 || held=0
    exec 8>&-
    ((held == 0))
}

demo_open() {
    local outer
    use_state
    outer=$STATE
    exec 8>"$outer/demo.lock" || die "cannot write $outer/demo.lock."
    flock -n 8 || die "another demo is running in $outer/demo; let it end first."
    DEMO_KEPT_LOGS=$outer/demo-logs
    use_state "$outer/demo"
    at_exit demo_close
    # An earlier demo may have been killed: end what it left.
    stop_services
    rm -rf "$STATE" "$DEMO_KEPT_LOGS"
    mkdir -p "$STATE/images" || die "cannot make $STATE/images."
}

demo_close() {
    local pid count=0
    for pid in $(marked_processes "SENDENSE_STACK=$STATE"); do count=$((count + ${pid:+1})); done
    stop_services
    # A failure is worth its logs, a signal is not.
    if ((EXIT_STATUS > 0 && EXIT_STATUS < 128)) && [[ -d $LOG_DIR ]]; then
        mv "$LOG_DIR" "$DEMO_KEPT_LOGS" && warn "the logs of the failed demo are kept in $DEMO_KEPT_LOGS."
    fi
    rm -rf "$STATE"
    ((count == 0)) || say "Stopped all $count processes and removed $STATE."
}

# The demo's own settings only.
demo_settings() {
    forget_settings
    export SENDENSE_STALLED_AFTER=$DEMO_STALLED_AFTER SENDENSE_FAILED_AFTER=$DEMO_FAILED_AFTER
    # As in the field, where the server's time zone is not UTC.
    MARIADB_OPTIONS="${MARIADB_OPTIONS:-} --default-time-zone=-03:00"
    FREE_PORTS=1
    complete_settings
}

demo_source() { printf '%s/images/%s-disk%s.raw\n' "$STATE" "$1" "$2"; }
demo_target() { printf '%s/images/%s-disk%s.backup\n' "$STATE" "$1" "$2"; }

# A sparse file with extents of random data: in each slot of the file one extent, at its start or its end.
demo_image() {
    local file=$1 size=$2 data=$3 slots=8 slot extent offset
    extent=$((data / slots))
    truncate -s "${size}M" "$file" || return 1
    for ((slot = 0; slot < slots; slot++)); do
        offset=$((slot * size / slots + (RANDOM % 2) * (size / slots - extent)))
        dd if=/dev/urandom of="$file" bs=1M count="$extent" seek="$offset" conv=notrunc status=none \
            || return 1
    done
}

demo_images() {
    local entry vm disk size data needed=0 free
    for entry in "${DEMO_DISKS[@]}"; do
        read -r vm disk size data <<<"$entry"
        needed=$((needed + 2 * size))
    done
    # The database and the logs want a little, too.
    needed=$((needed + 400))
    free=$(df -Pm "$STATE" | awk 'NR == 2 { print $4 }')
    ((free >= needed)) || die "the demo needs $needed MiB in $STATE, there are $free." \
        "Set SENDENSE_STATE_DIR to a folder with more room."
    for entry in "${DEMO_DISKS[@]}"; do
        read -r vm disk size data <<<"$entry"
        say "    $vm disk $disk: $size MiB, $data of them random data"
        demo_image "$(demo_source "$vm" "$disk")" "$size" "$data" || die "cannot write the image of $vm."
    done
}

# --- NBD servers -------------------------------------------------------------------------------------

demo_socket() { printf '%s/%s-%s%s.nbd\n' "$RUN_DIR" "$1" "$2" "$3"; }

# demo_serve SOCKET COMMAND...: starts a server that ends with the stack, and waits for its socket.
demo_serve() {
    local socket=$1 tries
    shift
    env --default-signal=INT,QUIT "SENDENSE_STACK=$STATE" "$@" >>"$LOG_DIR/nbd.out" 2>&1 </dev/null 8>&- 9>&- &
    disown $!
    for ((tries = 0; tries < 100; tries++)); do
        [[ ! -S $socket ]] || return 0
        sleep 0.1
    done
    die "$1 does not listen at $socket: $(tail -n 3 "$LOG_DIR/nbd.out")"
}

demo_nbd_servers() {
    local entry vm disk size target socket
    for entry in "${DEMO_DISKS[@]}"; do
        read -r vm disk size _ <<<"$entry"
        [[ $vm == "$DEMO_NBD_VM" ]] || continue
        socket=$(demo_socket "$vm" source "$disk")
        demo_serve "$socket" nbdkit -f -r -U "$socket" file "$(demo_source "$vm" "$disk")"
        target=$(demo_target "$vm" "$disk") socket=$(demo_socket "$vm" target "$disk")
        truncate -s "${size}M" "$target" || die "cannot make $target."
        demo_serve "$socket" qemu-nbd -t -e 8 -f raw -x "$vm-disk$disk" -k "$socket" "$target"
    done
}

# A disk's source and target as the client takes them.
demo_disk() {
    local source target
    if [[ $1 == "$DEMO_NBD_VM" ]]; then
        source=$(demo_socket "$1" source "$2") target=$(demo_socket "$1" target "$2")
        # In a URI a space is %20.
        printf 'nbd+unix:///?socket=%s=nbd+unix:///%s-disk%s?socket=%s\n' "${source// /%20}" "$1" "$2" \
            "${target// /%20}"
    else
        printf '%s=%s\n' "$(demo_source "$1" "$2")" "$(demo_target "$1" "$2")"
    fi
}

# --- Backup clients ----------------------------------------------------------------------------------

demo_job() { printf 'backup-%s-%s\n' "$1" "$DEMO_UNIX"; }

# Starts the client of one VM; its number and its exit status end up in files, since only the shell that
# started it can wait for it, and that shell's word about a killed child belongs into the log.
demo_client() {
    local vm=$1 entry name disk arguments=()
    for entry in "${DEMO_DISKS[@]}"; do
        read -r name disk _ <<<"$entry"
        [[ $name == "$vm" ]] || continue
        arguments+=(--disk "$(demo_disk "$vm" "$disk")")
    done
    (
        # shellcheck disable=SC2030
        export SHA_API_URL SENDENSE_SBC_LOG SENDENSE_SBC_STATE_DIR
        # Well within the short threshold; 5 s, as it is without this, belongs to 60 s.
        export SENDENSE_SBC_REPORT_INTERVAL_MS=1000
        SHA_API_URL=http://$(reachable "$SENDENSE_INGEST_LISTEN")
        SENDENSE_SBC_LOG=$LOG_DIR/sbc-$vm.log
        SENDENSE_SBC_STATE_DIR=$STATE/sbc-$vm
        env --default-signal=INT,QUIT "SENDENSE_STACK=$STATE" "$BIN_DIR/sendense-backup-client" --vm "$vm" \
            --job-id "$(demo_job "$vm")" "${arguments[@]}" --rate-limit "${DEMO_RATES[$vm]}" --quiet &
        printf '%s %s\n' "$!" "$(process_start $!)" >"$RUN_DIR/sbc-$vm.pid"
        wait $!
        printf '%s\n' "$?" >"$RUN_DIR/sbc-$vm.status"
    ) >>"$LOG_DIR/sbc-$vm.out" 2>&1 </dev/null 8>&- 9>&- &
    disown $!
}

# The client's exit status; "" while it runs.
demo_status() { cat "$RUN_DIR/sbc-$1.status" 2>/dev/null; }

# --- Progress ----------------------------------------------------------------------------------------

# Sets ROWS: one tab-separated row per job.
demo_poll() {
    local text
    text=$(mariadb_query -N -B 2>>"$LOG_DIR/demo.out" <<'SQL'
SELECT vm_name, status, IFNULL(current_phase, '-'), IFNULL(progress_percent, 0),
       ROUND(bytes_transferred / 1048576, 1), ROUND(total_bytes / 1048576, 1),
       IFNULL(ROUND(transfer_speed_bps / 1048576, 1), '-'), IFNULL(eta_seconds, '-'),
       IFNULL(TIMESTAMPDIFF(SECOND, last_telemetry_at, NOW()), '-'), IFNULL(error_message, '')
FROM backup_jobs ORDER BY FIELD(vm_name, 'web1', 'db1', 'lost1')
SQL
    ) || return 1
    ROWS=()
    [[ -z $text ]] || mapfile -t ROWS <<<"$text"
}

DRAWN_LINES=0
demo_draw() {
    local row vm status phase percent bytes total speed eta age error
    if [[ -t 1 ]]; then
        # Back to the table's first line; each line is cleared to its end as it is written anew.
        ((DRAWN_LINES == 0)) || printf '\e[%dA' "$DRAWN_LINES"
        printf '%-6s %-10s %-13s %8s %16s %7s %7s %12s\e[K\n' VM STATUS PHASE DONE MIB MIB/S ETA 'LAST UPDATE'
        DRAWN_LINES=1
    fi
    for row in "${ROWS[@]}"; do
        IFS=$'\t' read -r vm status phase percent bytes total speed eta age error <<<"$row"
        if [[ -t 1 ]]; then
            printf '%-6s %-10s %-13s %6s %% %16s %7s %5s s %8s s ago\e[K\n' "$vm" "$status" "$phase" \
                "$percent" "$bytes / $total" "$speed" "$eta" "$age"
            DRAWN_LINES=$((DRAWN_LINES + 1))
        else
            printf '%3d s  %-6s %-9s %-12s %6s %%  %15s MiB  %6s MiB/s  ETA %3s s  updated %s s ago%s\n' \
                "$((SECONDS - DEMO_BEGIN))" "$vm" "$status" "$phase" "$percent" "$bytes / $total" "$speed" \
                "$eta" "$age" "${error:+  $error}"
        fi
    done
}

# Once half of it is copied, kill -9: no last word, as when an appliance loses power.
demo_kill_lost() {
    local pid start
    [[ -z $LOST_KILLED_AT && ${1%%.*} -ge $DEMO_KILL_PERCENT ]] || return 0
    read -r pid start <"$RUN_DIR/sbc-lost1.pid"
    is_alive "$pid" "$start" || return 0
    kill -KILL "$pid" && LOST_KILLED_AT=$SECONDS LOST_KILLED_PERCENT=$1
}

# What `lost1` has been through since it was killed: LOST_STATES, and its error text in each state.
demo_note_lost() {
    local status=$1 error=$2
    [[ -n $LOST_KILLED_AT && ${LOST_STATES##* } != "$status" ]] || return 0
    LOST_STATES=${LOST_STATES:+$LOST_STATES }$status
    LOST_TEXTS[$status]=$error
}

demo_watch() {
    local row vm status percent error plain_at=0
    LOST_KILLED_AT='' LOST_KILLED_PERCENT='' LOST_STATES='' WRONGLY_CALLED='' DEMO_IN_TIME=yes
    declare -gA LOST_TEXTS=()
    while :; do
        if demo_poll; then
            for row in "${ROWS[@]}"; do
                IFS=$'\t' read -r vm status _ percent _ _ _ _ _ error <<<"$row"
                if [[ $vm != lost1 ]]; then
                    [[ $status != stalled && $status != failed ]] || WRONGLY_CALLED+=" $vm $status"
                    continue
                fi
                demo_note_lost "$status" "$error"
                demo_kill_lost "$percent"
            done
            if [[ -t 1 ]] || ((SECONDS >= plain_at)); then
                demo_draw
                plain_at=$((SECONDS + 2))
            fi
        fi
        if [[ -n $(demo_status web1) && -n $(demo_status db1) && -n $(demo_status lost1) ]]; then
            # Without a kill nothing more will happen to it.
            [[ -n $LOST_KILLED_AT && ${LOST_STATES##* } != failed ]] || break
        fi
        if ((SECONDS - DEMO_BEGIN > DEMO_SECONDS_MAX)); then
            DEMO_IN_TIME=no
            break
        fi
        sleep 1
    done
    demo_poll && demo_draw
}
