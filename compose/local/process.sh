# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2034
# Processes by identity (number and start time, so that a recycled number is never killed) and by mark (a
# variable in their environment, so that those are found whose number was lost).

# The start time of a live process, in clock ticks since boot. Fails if it is gone or a zombie.
process_start() {
    local stat='' fields
    { read -r -d '' stat <"/proc/$1/stat"; } 2>/dev/null
    [[ -n $stat ]] || return 1
    # The second field, the name, may hold spaces and brackets: count from behind its last bracket.
    read -r -a fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s\n' "${fields[19]}"
}

is_alive() { [[ -n ${1:-} && -n ${2:-} && $(process_start "$1") == "$2" ]]; }

# SIGTERM, then SIGKILL after so many seconds.
end_process() {
    local pid=$1 start=$2 grace=$3 tenth
    is_alive "$pid" "$start" || return 0
    kill -TERM "$pid" 2>/dev/null
    for ((tenth = 0; tenth < grace * 10; tenth++)); do
        is_alive "$pid" "$start" || return 0
        sleep 0.1
    done
    warn "process $pid did not end within $grace s of SIGTERM; it gets SIGKILL."
    kill -KILL "$pid" 2>/dev/null
    for ((tenth = 0; tenth < 50; tenth++)); do
        is_alive "$pid" "$start" || return 0
        sleep 0.1
    done
    warn "process $pid survives SIGKILL (it hangs in the kernel)."
    return 1
}

# The processes with NAME=VALUE in their environment, except this one.
marked_processes() {
    local file pid
    grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null | while IFS= read -r file; do
        pid=${file#/proc/}
        pid=${pid%/environ}
        [[ $pid == "$$" ]] || printf '%s\n' "$pid"
    done
}

# Ends all processes with that mark together; says how many there were in ENDED_COUNT.
end_marked() {
    local mark=$1 grace=$2 pid tenth
    local -A starts=()
    for pid in $(marked_processes "$mark"); do
        starts[$pid]=$(process_start "$pid") || unset "starts[$pid]"
    done
    ENDED_COUNT=${#starts[@]}
    for pid in "${!starts[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    for ((tenth = 0; tenth < grace * 10; tenth++)); do
        for pid in "${!starts[@]}"; do
            is_alive "$pid" "${starts[$pid]}" || unset "starts[$pid]"
        done
        ((${#starts[@]} > 0)) || return 0
        sleep 0.1
    done
    for pid in "${!starts[@]}"; do
        is_alive "$pid" "${starts[$pid]}" && kill -KILL "$pid" 2>/dev/null
    done
}

# Runs a long command so that a signal to this script ends it and all that it started: bash handles signals
# during `wait`, but not during a command in the foreground. What it leaves behind is ended too.
# LEFT_BEHIND is the number of such processes.
supervise() {
    local status child
    SUPERVISED_MARK=SENDENSE_DEV_RUN=$$.$(process_start $$).$RANDOM
    at_exit end_supervised
    # Explicitly from our standard input, and with Ctrl-C: bash would give a background command neither.
    env --default-signal=INT,QUIT "$SUPERVISED_MARK" "$@" <&0 &
    child=$!
    if [[ -n $SUPERVISE_WATCH ]]; then
        # Not on our standard output, which it would hold open.
        "$SUPERVISE_WATCH" "$child" >/dev/null &
        WATCHER=$!
    fi
    wait "$child"
    status=$?
    end_supervised
    return "$status"
}

SUPERVISED_MARK=
# A function that gets the command's number and runs beside it.
SUPERVISE_WATCH=
WATCHER=
LEFT_BEHIND=0
end_supervised() {
    [[ -n $SUPERVISED_MARK ]] || return 0
    if [[ -n $WATCHER ]]; then
        kill "$WATCHER" 2>/dev/null
        WATCHER=
    fi
    end_marked "$SUPERVISED_MARK" 10
    LEFT_BEHIND=$ENDED_COUNT
    SUPERVISED_MARK=
}
