# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034,SC2153
# ./dev demo: the rows and sums at the end, and what must be true of them.

DEMO_FAILED_LOGS=()
DEMO_FAILED=0 DEMO_PASSED=0

# The log to read if it fails, the claim, what is, what must be.
demo_check() {
    local log=$1 claim=$2 is=$3 must=$4
    if [[ $is == "$must" ]]; then
        DEMO_PASSED=$((DEMO_PASSED + 1))
        printf '  PASS  %s\n' "$claim"
    else
        DEMO_FAILED=$((DEMO_FAILED + 1))
        DEMO_FAILED_LOGS+=("$log")
        printf '  FAIL  %s: is "%s", must be "%s"\n' "$claim" "$is" "$must"
    fi
}

# A query's only value.
demo_value() { mariadb_query -N -B -e "$1" 2>&1; }

demo_rows() {
    step "The rows: backup_jobs, backup_disks, job_events"
    mariadb_query --table <<'SQL'
SELECT id, status, current_phase AS phase, progress_percent AS percent, bytes_transferred, total_bytes,
       last_telemetry_at, completed_at
FROM backup_jobs ORDER BY id;
SELECT id, error_message FROM backup_jobs WHERE error_message <> '';
SELECT backup_job_id, disk_index AS disk, status, progress_percent AS percent, bytes_transferred,
       disk_change_id, completed_at
FROM backup_disks ORDER BY backup_job_id, disk_index;
SQL
    # Cut, since an event's evidence is long.
    mariadb_query --table -e 'SELECT * FROM job_events' | cut -c 1-200
}

demo_check_copies() {
    local vm size disk entry name source target bytes
    step "Checksums (SHA-256, source and target)"
    for entry in "${DEMO_DISKS[@]}"; do
        read -r vm disk size _ <<<"$entry"
        [[ $vm != lost1 ]] || continue
        source=$(sha256sum <"$(demo_source "$vm" "$disk")")
        target=$(sha256sum <"$(demo_target "$vm" "$disk")" 2>/dev/null)
        printf '  %-4s disk %s  %s\n               %s\n' "$vm" "$disk" "${source%% *}" "${target%% *}"
        DEMO_SUMS[$vm.$disk]="${source%% *} ${target%% *}"
    done
    step "Checks"
    for vm in web1 db1; do
        demo_check "sbc-$vm" "$vm: the client ended with exit status 0" "$(demo_status "$vm")" 0
        demo_check writer "$vm: completed, at 100 %" \
            "$(demo_value "SELECT CONCAT_WS(' ', status, current_phase, progress_percent)
                FROM backup_jobs WHERE id = '$(demo_job "$vm")'")" "completed completed 100.00"
        bytes=0
        for entry in "${DEMO_DISKS[@]}"; do
            read -r name disk size _ <<<"$entry"
            [[ $name == "$vm" ]] || continue
            bytes=$((bytes + size * MIB))
            demo_check "sbc-$vm" "$vm disk $disk: the copy has the source's checksum" \
                "${DEMO_SUMS[$vm.$disk]#* }" "${DEMO_SUMS[$vm.$disk]%% *}"
            demo_check writer "$vm disk $disk: completed, with all $((size * MIB)) bytes" \
                "$(demo_value "SELECT CONCAT_WS(' ', status, bytes_transferred) FROM backup_disks
                    WHERE backup_job_id = '$(demo_job "$vm")' AND disk_index = $disk")" \
                "completed $((size * MIB))"
        done
        demo_check writer "$vm: the job's bytes are the size of its disks" \
            "$(demo_value "SELECT bytes_transferred FROM backup_jobs
                WHERE id = '$(demo_job "$vm")'")" "$bytes"
    done
    demo_check writer "every job: its bytes are the sum of its disks'" "$(demo_value "
        SELECT COUNT(*) FROM backup_jobs j WHERE j.bytes_transferred <>
            (SELECT SUM(d.bytes_transferred) FROM backup_disks d WHERE d.backup_job_id = j.id)")" 0
}

demo_check_stale() {
    local percent=${LOST_KILLED_PERCENT:-never}
    demo_check sbc-lost1 "lost1: its client was killed half-way (at $percent %)" "$(demo_status lost1)" 137
    demo_check stale-detector "web1, db1: never called stalled or failed" "$WRONGLY_CALLED" ""
    demo_check stale-detector "lost1: after that stalled, then failed" \
        "${LOST_STATES#running }" "stalled failed"
    demo_check stale-detector "lost1: says why it stalled" "${LOST_TEXTS[stalled]:-}" \
        "Job stalled due to no telemetry updates for ${DEMO_STALLED_AFTER}s"
    demo_check stale-detector "lost1: says why it failed" "${LOST_TEXTS[failed]:-}" \
        "Job failed due to no telemetry updates for ${DEMO_FAILED_AFTER}s"
    demo_check stale-detector "lost1: has a time of its end" "$(demo_value "
        SELECT completed_at IS NOT NULL FROM backup_jobs WHERE id = '$(demo_job lost1)'")" 1
}

demo_check_services() {
    local name lives
    for name in "${SERVICES[@]}"; do
        lives=no
        if service_lives "$name" && service_is_ready "$name"; then lives=yes; fi
        demo_check "$name" "$name: alive and ready to the end" "$lives" yes
    done
    demo_check writer "all was over within $DEMO_SECONDS_MAX s" "$DEMO_IN_TIME" yes
}

demo_show_failed_logs() {
    local name
    while IFS= read -r name; do
        # A client that could not write its log has said so on its standard error.
        if [[ -s $LOG_DIR/$name.out ]]; then
            warn "$name said:"
            tail -n 10 "$LOG_DIR/$name.out" | sed 's/^/    /' >&2
        fi
        show_log "$name" "a check that depends on it failed."
    done < <(printf '%s\n' "${DEMO_FAILED_LOGS[@]}" | sort -u)
}

demo() {
    local vm
    DEMO_UNIX=$(date +%s)
    declare -gA DEMO_SUMS=()
    need_packages "${DATABASE_PACKAGES[@]}" "${NBD_PACKAGES[@]}"
    need_binaries
    demo_open
    demo_settings
    prepare_stack_folders
    DEMO_BEGIN=$SECONDS
    step "Making the disks of ${#DEMO_VMS[@]} VMs in $STATE/images"
    demo_images
    start_services "${SERVICES[@]}"
    demo_nbd_servers
    step "Backing up ${DEMO_VMS[*]} ($DEMO_NBD_VM from nbdkit to qemu-nbd); the client of lost1 is killed half-way" \
        "(stalled after $DEMO_STALLED_AFTER s of silence, failed after $DEMO_FAILED_AFTER s)"
    DEMO_BEGIN=$SECONDS
    for vm in "${DEMO_VMS[@]}"; do demo_client "$vm"; done
    demo_watch
    demo_rows
    demo_check_copies
    demo_check_stale
    demo_check_services
    if ((DEMO_FAILED > 0)); then
        demo_show_failed_logs
        die "the demo FAILED: $DEMO_FAILED of $((DEMO_FAILED + DEMO_PASSED)) checks."
    fi
    say "The demo passed: all $DEMO_PASSED checks, in $((SECONDS - DEMO_BEGIN)) s of backups and checks" \
        "($SECONDS s with building and setting up)."
}
