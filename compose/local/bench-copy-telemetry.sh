# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2004,SC2034,SC2153
# ./dev bench-copy's rows on telemetry: what reports cost the copy, whatever the hub does.

# bench_hub KIND: a hub that answers at once, answers after ten seconds, refuses, resets or swallows; its URL is in
# COPY_HUB, and COPY_HUB_PID is empty where nothing was started.
bench_hub() {
    local tries
    COPY_HUB_PID=
    case $1 in
        answering) [[ -z ${HUB:-} ]] || { COPY_HUB=$HUB && return; } ;;
        # The discard port.
        refusing) COPY_HUB=http://127.0.0.1:9 && return ;;
    esac
    rm -f "$COPY_FOLDER/port"
    perl "$ROOT/compose/local/bench-hub.pl" "$1" "$COPY_FOLDER/port" >/dev/null &
    COPY_HUB_PID=$!
    COPY_PIDS+=("$COPY_HUB_PID")
    for ((tries = 0; tries < 100; tries++)); do
        if [[ -s $COPY_FOLDER/port ]]; then
            COPY_HUB=http://127.0.0.1:$(<"$COPY_FOLDER/port")
            return
        fi
        sleep 0.05
    done
    die "the bench's hub does not listen."
}

# With a rate limit, so that what the reports cost cannot hide in the noise of the disk.
bench_copy_telemetry() {
    local pairs=${PAIRS:-20} pair name kind differences rate=${RATE:-192M}
    for kind in ${HUBS:-answering slow refusing resetting black-holed}; do
        bench_hub "$kind"
        for ((pair = 0; pair < pairs; pair++)); do
            # Each goes first in half of the pairs.
            for name in $( ((pair % 2 == 0)) && echo without with || echo with without); do
                local telemetry=(--no-telemetry)
                [[ $name == without ]] \
                    || telemetry=(--hub-url "$COPY_HUB" --drain-timeout 0 --job-id "bench-$kind-$pair")
                rm -f "$COPY_FOLDER/target.raw"
                # What earlier runs could not deliver is not this one's.
                rm -rf "$COPY_FOLDER/state"
                "$COPY_SBC" --vm bench --json --rate-limit "$rate" --log-file "$COPY_FOLDER/log" \
                    --state-dir "$COPY_FOLDER/state" --disk "$COPY_SOURCE=$COPY_FOLDER/target.raw" \
                    "${telemetry[@]}" >"$COPY_FOLDER/json" 2>"$COPY_FOLDER/out" \
                    || die "the client failed: $(tail -n 5 "$COPY_FOLDER/out")"
                COPY_WALL[$name]+=" $(copying_milliseconds "$COPY_FOLDER/json")"
            done
        done
        [[ -z $COPY_HUB_PID ]] || bench_stop "$COPY_HUB_PID"
        differences=$(paste -d' ' <(tr ' ' '\n' <<<"${COPY_WALL[without]# }") <(tr ' ' '\n' <<<"${COPY_WALL[with]# }"))
        bench_interval "telemetry on, hub $kind" "$differences"
        COPY_WALL=()
    done
    rm -f "$COPY_FOLDER/target.raw"
}

# From the first disk's start to the last one's end: the wait for the hub's first word is not the copy's.
copying_milliseconds() {
    sed -nE 's/.*"event":"completed".*"copy_ms":([0-9]+).*/\1/p' "$1"
}

# bench_interval WHAT PAIRS: the mean difference in percent with its 95 % interval, by Student's t.
bench_interval() {
    local told low high worst
    told=$(awk 'NF == 2 { n++; d = 100 * ($2 - $1) / $1; sum += d; squares += d * d }
        END { mean = sum / n; s = sqrt((squares - n * mean * mean) / (n - 1)); f = n - 1
              # The quantile, to 2 % from 4 degrees of freedom on.
              h = (1.96 + 2.37 / f + 2.8 / (f * f)) * s / sqrt(n)
              printf "%.2f %.2f", mean - h, mean + h }' <<<"$2")
    read -r low high <<<"$told"
    worst=$(awk -v a="$low" -v b="$high" 'BEGIN { a = a < 0 ? -a : a; b = b < 0 ? -b : b; print (a > b ? a : b) }')
    bench_verdict "$1: time, 95 % interval within" "$worst" 3 1 at-most "($low % to $high %)"
}

# The reporter's share of the processor while much is copied at full speed, and the memory with four disks over NBD.
bench_copy_cost() {
    local disk arguments=() pids=() count=${DISKS:-6}
    bench_hub answering
    for ((disk = 0; disk < count; disk++)); do
        arguments+=(--disk "$COPY_SOURCE=$COPY_FOLDER/cost$disk.raw")
    done
    bench_watch bench_reporting "${arguments[@]}"
    rm -f "$COPY_FOLDER"/cost*.raw
    if ((COPY_COPIERS > 0)); then
        bench_verdict "reporter's CPU by the copy's, %" \
            "$(awk -v r="$COPY_REPORTER" -v c="$COPY_COPIERS" 'BEGIN { printf "%.2f", 100 * r / c }')" 0.5 0.5 at-most \
            "($((COPY_REPORTER / 1000)) us, the copy $((COPY_COPIERS / 1000)) us)"
    else
        warn "this kernel does not count the time of threads (schedstat): the reporter's is left out."
    fi
    arguments=()
    for disk in 0 1 2 3; do
        bench_serve_source $disk
        pids+=("$COPY_PID")
        bench_serve_target $disk
        pids+=("$COPY_PID")
        arguments+=(--disk "$(source_uri $disk)=$(target_uri $disk)")
    done
    bench_watch bench_reporting "${arguments[@]}"
    for disk in "${pids[@]}"; do bench_stop "$disk"; done
    [[ -z $COPY_HUB_PID ]] || bench_stop "$COPY_HUB_PID"
    # Four requests of 2 MiB on each connection, as the client has it by itself.
    local buffers=$((4 * COPY_CONNECTIONS * 4 * 2))
    bench_verdict "memory beside the buffers, MiB" "$((COPY_PEAK / 1024 - buffers))" 64 64 at-most \
        "($((COPY_PEAK / 1024)) MiB at most, $buffers of it for requests of four disks)"
}

# exec: what is watched is the client itself.
bench_reporting() {
    exec "$COPY_SBC" --vm bench --quiet --connections "$COPY_CONNECTIONS" --hub-url "$COPY_HUB" \
        --job-id "bench-cost-$RANDOM" --log-file "$COPY_FOLDER/log" --state-dir "$COPY_FOLDER/state" "$@"
}

# bench_watch COMMAND...: runs it, and looks at it meanwhile. COPY_PEAK is its memory's peak in KiB, COPY_REPORTER and
# COPY_COPIERS the nanoseconds of processor time of its threads, by their names.
bench_watch() {
    local pid task key value name
    local -A spent=() names=()
    "$@" >/dev/null 2>"$COPY_FOLDER/out" &
    pid=$!
    COPY_PIDS+=("$pid") COPY_PEAK=0 COPY_REPORTER=0 COPY_COPIERS=0
    while true; do
        value=
        # One that has ended has no memory any more.
        while read -r key value _; do [[ $key != VmHWM: ]] || break; done 2>/dev/null <"/proc/$pid/status" || break
        [[ -n $value ]] || break
        COPY_PEAK=$value
        for task in "/proc/$pid/task/"*; do
            # Threads come and go while one looks.
            { read -r name <"$task/comm" && read -r value _ <"$task/schedstat"; } 2>/dev/null || continue
            names[$task]=$name spent[$task]=$value
        done
        sleep 0.05
    done
    wait "$pid" || die "the client failed: $(tail -n 5 "$COPY_FOLDER/out")"
    bench_forget "$pid"
    for task in "${!spent[@]}"; do
        case ${names[$task]} in
            reporter) COPY_REPORTER=$((COPY_REPORTER + spent[$task])) ;;
            copy-*) COPY_COPIERS=$((COPY_COPIERS + spent[$task])) ;;
        esac
    done
}
