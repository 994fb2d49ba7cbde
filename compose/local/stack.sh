# shellcheck shell=bash
# The stack: MariaDB, ingest, writer and stale-detector on this machine.

# What stack.env exports. Left in the environment by `. stack.env`, it would speak of another stack.
readonly STACK_OUTPUTS=(SENDENSE_INGEST_URL SENDENSE_MARIADB_SOCKET SENDENSE_PID_MARIADB SENDENSE_PID_INGEST
    SENDENSE_PID_WRITER SENDENSE_PID_STALE_DETECTOR SENDENSE_SBC SENDENSE_LOG_DIR MYSQL_UNIX_PORT MYSQL_HOME)
forget_stack() { unset "${STACK_OUTPUTS[@]}"; }

# --- Settings ----------------------------------------------------------------------------------------

# The variables that make up the services' configuration.
setting_names() {
    local name
    for name in $(compgen -e SENDENSE_); do
        case " ${STACK_OUTPUTS[*]} SENDENSE_STATE_DIR SENDENSE_BIN_DIR SENDENSE_STACK SENDENSE_DEV_RUN " in
            *" $name "*) ;;
            *) printf '%s\n' "$name" ;;
        esac
    done
}

# The caller's settings may speak of another stack. Log level and format may stay.
forget_settings() {
    local name
    for name in $(setting_names); do
        case $name in
            SENDENSE_LOG_LEVEL | SENDENSE_LOG_FORMAT) ;;
            *) unset "$name" ;;
        esac
    done
    forget_stack
}

# A service that is started again later, from another shell, gets the settings and ports of the first time.
save_settings() {
    local name
    for name in $(setting_names); do printf 'export %s=%q\n' "$name" "${!name}"; done >"$RUN_DIR/settings.new"
    # It holds the database's password.
    chmod 600 "$RUN_DIR/settings.new" && mv "$RUN_DIR/settings.new" "$RUN_DIR/settings"
}

# The saved settings, as far as the environment does not say otherwise. CHANGED_SETTINGS: where it does.
load_settings() {
    local line name value
    CHANGED_SETTINGS=()
    [[ -f $RUN_DIR/settings ]] || return 0
    while IFS= read -r line; do
        name=${line#export }
        name=${name%%=*}
        if [[ -z ${!name+set} ]]; then
            eval "$line"
        else
            printf -v value 'export %s=%q' "$name" "${!name}"
            [[ $value == "$line" ]] || CHANGED_SETTINGS+=("$name")
        fi
    done <"$RUN_DIR/settings"
}

# How the stack's binaries came to be, so that a later start takes the same ones.
save_build() {
    printf 'CONFIG=%q\nSKIP_BUILD=%q\nSENDENSE_BIN_DIR=%q\nBIN_DIR=%q\n' "$CONFIG" "${SKIP_BUILD:-0}" \
        "${SENDENSE_BIN_DIR:-}" "$BIN_DIR" >"$RUN_DIR/build"
}

load_build() {
    # What this command was told comes first.
    [[ -n ${CONFIG_TOLD:-} || -n ${SKIP_BUILD:-} || ! -f $RUN_DIR/build ]] && return 0
    # shellcheck source=/dev/null
    . "$RUN_DIR/build"
}

# NAME, its default.
setting() { [[ -n ${!1:-} ]] || export "$1=$2"; }

# NAME, what stands before the port, the preferred port, what it is for.
address_setting() {
    [[ -z ${!1:-} ]] || return 0
    choose_port "$3" "$4"
    export "$1=$2$PORT"
}

complete_settings() {
    local preferred=(8082 5590 9082 9590 9591)
    # Stacks that are to stand beside a developer's own leave it the well-known ports.
    [[ ${FREE_PORTS:-0} != 1 ]] || preferred=(any any any any any)
    at_exit drop_port_claims
    address_setting SENDENSE_INGEST_LISTEN 127.0.0.1: "${preferred[0]}" "ingest"
    address_setting SENDENSE_WRITER_BIND tcp://127.0.0.1: "${preferred[1]}" "writer"
    address_setting SENDENSE_INGEST_ADMIN 127.0.0.1: "${preferred[2]}" "ingest's admin"
    address_setting SENDENSE_WRITER_ADMIN 127.0.0.1: "${preferred[3]}" "writer's admin"
    address_setting SENDENSE_STALE_DETECTOR_ADMIN 127.0.0.1: "${preferred[4]}" "stale-detector's admin"
    setting SENDENSE_WRITERS "$SENDENSE_WRITER_BIND"
    setting SENDENSE_OUTBOX "$STATE/outbox/outbox.sqlite"
    setting SENDENSE_STALLED_AFTER 60
    setting SENDENSE_FAILED_AFTER 300
    database_settings
}

database_settings() {
    setting SENDENSE_DATABASE_NAME migratekit_oma
    setting SENDENSE_DATABASE_USER oma_user
    setting SENDENSE_DATABASE_PASSWORD oma_password
    setting SENDENSE_DATABASE_SOCKET "$MARIADB_SOCKET"
}

# --- Start and stop ----------------------------------------------------------------------------------

prepare_stack_folders() {
    mkdir -p "$RUN_DIR" "$LOG_DIR" "$STATE/mysql" || die "cannot write $STATE."
}

living_services() {
    local name
    for name in "${SERVICES[@]}"; do
        if service_lives "$name"; then printf '%s\n' "$name"; fi
    done
}

# Starts those services that do not live, and waits until all named are ready. A failure, or a signal, stops
# again what was started here.
STARTED=()
start_services() {
    local name
    at_exit stop_started
    for name in "$@"; do
        if ! service_lives "$name"; then
            STARTED+=("$name")
            step "Starting $name"
            service_launch "$name"
        fi
        # The others do without one another for a while, but the database's first start takes seconds.
        if [[ $name == mariadb ]]; then service_wait mariadb || exit 1; fi
    done
    for name in "$@"; do
        service_wait "$name" || exit 1
    done
    STARTED=()
}

stop_started() {
    local name
    ((${#STARTED[@]} > 0)) || return 0
    for name in "${STOP_ORDER[@]}"; do
        case " ${STARTED[*]} " in *" $name "*) service_stop "$name" ;; esac
    done
    warn "stopped again: ${STARTED[*]}"
}

# Stops all of the stack, and what a crash may have left without a file naming its number.
stop_services() {
    local name
    STOPPED=()
    for name in "${STOP_ORDER[@]}"; do
        if service_lives "$name"; then STOPPED+=("$name"); fi
        service_stop "$name"
    done
    end_marked "SENDENSE_STACK=$STATE" "$STOP_SECONDS"
    ((ENDED_COUNT == 0)) || STOPPED+=("$ENDED_COUNT processes without a pid file")
    rm -rf "$RUN_DIR" "$STACK_ENV"
    [[ -z $SHORT_FOLDER ]] || rm -rf "$SHORT_FOLDER"
}

# --- stack.env ---------------------------------------------------------------------------------------

# The address for clients on this machine of what listens at HOST:PORT.
reachable() {
    local host=${1%:*}
    case $host in
        '' | 0.0.0.0 | '*') host=127.0.0.1 ;;
        '[::]') host='[::1]' ;;
    esac
    printf '%s:%s\n' "$host" "${1##*:}"
}

export_line() {
    if [[ $2 =~ ^[A-Za-z0-9_./:@%+,=-]*$ ]]; then
        printf 'export %s=%s\n' "$1" "$2"
    else
        printf "export %s='%s'\n" "$1" "${2//\'/\'\\\'\'}"
    fi
}

write_stack_env() {
    local name upper
    # Debian's /etc/mysql/my.cnf names the system's socket, which beats MYSQL_UNIX_PORT; the file in
    # MYSQL_HOME is read after it.
    printf '[client]\nsocket=%s\n' "$MARIADB_SOCKET" >"$STATE/mysql/my.cnf"
    {
        export_line SENDENSE_INGEST_URL "http://$(reachable "$SENDENSE_INGEST_LISTEN")"
        export_line SENDENSE_MARIADB_SOCKET "$MARIADB_SOCKET"
        export_line MYSQL_UNIX_PORT "$MARIADB_SOCKET"
        export_line MYSQL_HOME "$STATE/mysql"
        for name in mariadb ingest writer stale-detector; do
            service_lives "$name" || continue
            upper=${name^^}
            export_line "SENDENSE_PID_${upper//-/_}" "$SERVICE_PID"
        done
        export_line SENDENSE_SBC "$BIN_DIR/sendense-backup-client"
        export_line SENDENSE_LOG_DIR "$LOG_DIR"
    } >"$STACK_ENV.new"
    mv "$STACK_ENV.new" "$STACK_ENV" || die "cannot write $STACK_ENV."
}

# --- Commands ----------------------------------------------------------------------------------------

stack_up() {
    local living begin=$SECONDS
    use_state
    lock_state
    mapfile -t living < <(living_services)
    if ((${#living[@]} == 0)); then
        # From any state: a crash may have left processes, and settings whose ports are taken by now.
        stop_services
    else
        say "Already up: ${living[*]}. Checking."
    fi
    need_packages "${DATABASE_PACKAGES[@]}" "${GUIDE_PACKAGES[@]}"
    load_build
    if ((${#living[@]} < ${#SERVICES[@]})) || [[ -z ${BIN_DIR:-} ]]; then need_binaries; fi
    prepare_stack_folders
    save_build
    forget_stack
    load_settings
    ((${#CHANGED_SETTINGS[@]} == 0)) || warn "changed settings reach running services only after" \
        "'./dev down': ${CHANGED_SETTINGS[*]}"
    complete_settings
    save_settings
    start_services "${SERVICES[@]}"
    write_stack_env
    say "All services are ready ($((SECONDS - begin)) s)."
    say "  ingest   http://$(reachable "$SENDENSE_INGEST_LISTEN")"
    say "  MariaDB  $MARIADB_SOCKET"
    say "  logs     $LOG_DIR"
    say "Next:  . ${STACK_ENV#"$PWD/"}   then the guide's commands;   ./dev down stops all."
}

stack_down() {
    use_state
    lock_state
    stop_services
    if ((${#STOPPED[@]} > 0)); then
        say "Stopped: $(printf '%s, ' "${STOPPED[@]}" | sed 's/, $//'). The database stays in $MARIADB_DATA."
    else
        say "Nothing was running."
    fi
}

stack_start() {
    need_service_name "$1"
    use_state
    lock_state
    [[ -f $RUN_DIR/settings ]] || die "there is no stack in $STATE. ./dev up starts all."
    if service_lives "$1"; then
        say "$1 runs already (process $SERVICE_PID)."
    fi
    need_packages "${DATABASE_PACKAGES[@]}"
    load_build
    need_binaries
    prepare_stack_folders
    forget_stack
    load_settings
    complete_settings
    save_settings
    start_services "$1"
    write_stack_env
    service_lives "$1" && say "$1 is ready (process $SERVICE_PID); $STACK_ENV is up to date."
}

stack_stop() {
    need_service_name "$1"
    use_state
    lock_state
    if service_lives "$1"; then
        service_stop "$1" || exit 1
        say "Stopped: $1."
    else
        rm -f "$RUN_DIR/$1.pid"
        say "$1 was not running."
    fi
}

stack_status() {
    local name down=0
    use_state
    [[ -f $RUN_DIR/settings ]] || { say "There is no stack in $STATE."; return 1; }
    load_settings
    for name in "${SERVICES[@]}"; do
        if ! service_lives "$name"; then
            printf '%-15s down        log: %s\n' "$name" "$LOG_DIR/$name.log"
            down=1
        elif service_is_ready "$name"; then
            printf '%-15s ready       process %s\n' "$name" "$SERVICE_PID"
        else
            printf '%-15s not ready   process %s, log: %s\n' "$name" "$SERVICE_PID" "$LOG_DIR/$name.log"
            down=1
        fi
    done
    return "$down"
}

# audit or explain, on the stack's database.
stack_writer() {
    use_state
    [[ -f $RUN_DIR/settings && -f $RUN_DIR/build ]] || die "there is no stack in $STATE. ./dev up starts all."
    forget_settings
    load_settings
    # shellcheck source=/dev/null
    . "$RUN_DIR/build"
    exec "$BIN_DIR/sendense-writer" "$@"
}

stack_clean() {
    use_state
    lock_state
    demo_is_running && die "a demo is running in $STATE/demo; let it end first."
    stop_services
    # By name: SENDENSE_STATE_DIR may be a folder that holds more than the stack.
    rm -rf "$MARIADB_DATA" "$MARIADB_DATA.new" "$LOG_DIR" "$STATE/mysql" "$STATE/outbox" "$STATE/demo" \
        "$STATE/demo-logs" "$STATE/demo.lock" "$STATE/lock"
    rmdir "$STATE" 2>/dev/null
    say "Removed the database and the logs in $STATE."
}
