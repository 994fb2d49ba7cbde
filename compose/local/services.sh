# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034
# One service of the stack: start, stop, ready or not, its log. `mariadb` counts as one.

# In the order of the start; the stop has an order of its own (first those that take work in).
readonly SERVICES=(mariadb writer stale-detector ingest)
readonly STOP_ORDER=(ingest stale-detector writer mariadb)
readonly STOP_SECONDS=10
readonly LOG_BYTES_MAX=$((20 * 1024 * 1024))

need_service_name() {
    case $1 in
        mariadb | ingest | writer | stale-detector) ;;
        '') die "which service? SERVICE=mariadb, ingest, writer or stale-detector." ;;
        *) die "there is no service '$1'. SERVICE is mariadb, ingest, writer or stale-detector." ;;
    esac
}

# Sets SERVICE_PID and SERVICE_START from the service's file; fails unless it lives.
service_lives() {
    SERVICE_PID='' SERVICE_START=''
    { read -r SERVICE_PID SERVICE_START <"$RUN_DIR/$1.pid"; } 2>/dev/null
    is_alive "$SERVICE_PID" "$SERVICE_START"
}

# Starts a process of the stack detached from this shell and its terminal, marked as this stack's.
launch() {
    local name=$1 log=$LOG_DIR/$1.log pid
    shift
    if [[ -f $log ]] && (($(stat -c %s "$log") > LOG_BYTES_MAX)); then mv -f "$log" "$log.1"; fi
    env --default-signal=INT,QUIT "SENDENSE_STACK=$STATE" setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    disown "$pid"
    printf '%s %s\n' "$pid" "$(process_start "$pid")" >"$RUN_DIR/$name.pid"
}

service_launch() {
    case $1 in
        mariadb) mariadb_launch ;;
        *) launch "$1" "$BIN_DIR/sendense-$1" ;;
    esac
}

service_stop() {
    local status=0
    if service_lives "$1"; then
        end_process "$SERVICE_PID" "$SERVICE_START" "$STOP_SECONDS"
        status=$?
    fi
    rm -f "$RUN_DIR/$1.pid"
    return "$status"
}

service_admin() {
    case $1 in
        ingest) printf '%s\n' "$SENDENSE_INGEST_ADMIN" ;;
        writer) printf '%s\n' "$SENDENSE_WRITER_ADMIN" ;;
        stale-detector) printf '%s\n' "$SENDENSE_STALE_DETECTOR_ADMIN" ;;
    esac
}

# Leaves the service's own words in run/<service>.answer.
service_is_ready() {
    if [[ $1 == mariadb ]]; then
        mariadb_is_ready
    else
        http_get "$(service_admin "$1")" /readyz >"$RUN_DIR/$1.answer" \
            && [[ $(head -n 1 "$RUN_DIR/$1.answer") == 200 ]]
    fi
}

show_log() {
    local name=$1 log=$LOG_DIR/$1.log
    shift
    warn "$name: $*"
    if [[ -s $log ]]; then
        warn "read $log; its last 30 lines:"
        tail -n 30 "$log" | sed 's/^/    /' >&2
    else
        warn "its log $log is empty."
    fi
}

# Waits until the service is ready, READY_TIMEOUT seconds at most. A failure shows its log.
service_wait() {
    local name=$1 limit=${READY_TIMEOUT:-60} begin=$SECONDS told=0 answer
    until service_is_ready "$name"; do
        if ! service_lives "$name"; then
            show_log "$name" "it ended before it was ready."
            return 1
        fi
        if ((SECONDS - begin >= limit)); then
            answer=$(tr '\n' ' ' <"$RUN_DIR/$name.answer" 2>/dev/null | cut -c 1-300)
            show_log "$name" "not ready after $limit s${answer:+ (its answer: ${answer% })}."
            return 1
        fi
        if ((SECONDS - begin >= told + 5)); then
            told=$((SECONDS - begin))
            say "    $name: not ready yet ($told s)"
        fi
        sleep 0.1
    done
}
