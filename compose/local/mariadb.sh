# shellcheck shell=bash
# A private MariaDB in a folder of the stack's: no system service, no TCP port, no root password.

# Sets MARIADB_DATA, MARIADB_SOCKET and SHORT_FOLDER ("" where the stack's own folder serves).
mariadb_paths() {
    MARIADB_DATA=$STATE/mariadb
    MARIADB_SOCKET=$RUN_DIR/mariadb.sock
    SHORT_FOLDER=
    # The path of a Unix socket has 107 bytes at most (unix(7)).
    if (($(printf '%s' "$MARIADB_SOCKET" | wc -c) > 107)); then
        SHORT_FOLDER=${TMPDIR:-/tmp}/sendense-$UID-$(printf '%s' "$STATE" | cksum | cut -d ' ' -f 1)
        MARIADB_SOCKET=$SHORT_FOLDER/mariadb.sock
    fi
}

# The system tables: made beside their place and moved there whole, so that an interruption leaves nothing
# half done.
mariadb_create() {
    local options=() log=$LOG_DIR/mariadb.log
    [[ -d $MARIADB_DATA ]] && return 0
    step "Creating the database in $MARIADB_DATA (some seconds)"
    rm -rf "$MARIADB_DATA.new"
    ((EUID != 0)) || options+=(--user=root)
    # Root of the database is root of the system or nobody: what needs its rights goes by --init-file.
    if ! supervise mariadb-install-db --no-defaults --datadir="$MARIADB_DATA.new" \
        --auth-root-authentication-method=socket --skip-test-db "${options[@]}" >>"$log" 2>&1; then
        show_log mariadb "mariadb-install-db failed."
        exit 1
    fi
    mv "$MARIADB_DATA.new" "$MARIADB_DATA" || die "cannot rename $MARIADB_DATA.new."
}

sql_string() {
    local text=${1//\\/\\\\}
    printf "'%s'" "${text//\'/\'\'}"
}

# Database, users and rights, at each start (so that other settings take effect); one statement a line.
mariadb_write_init_file() {
    local database=${SENDENSE_DATABASE_NAME//\`/\`\`} password user
    password=$(sql_string "$SENDENSE_DATABASE_PASSWORD")
    {
        # Back-quotes are SQL's, nothing for the shell to expand.
        # shellcheck disable=SC2016
        printf 'CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4;\n' "$database"
        # oma_admin is the guide's second login.
        for user in "$SENDENSE_DATABASE_USER" oma_admin; do
            user=$(sql_string "$user")@localhost
            printf 'CREATE USER IF NOT EXISTS %s;\n' "$user"
            printf 'ALTER USER %s IDENTIFIED BY %s;\n' "$user" "$password"
            # shellcheck disable=SC2016
            printf 'GRANT ALL ON `%s`.* TO %s;\n' "$database" "$user"
        done
    } >"$RUN_DIR/init.sql"
}

mariadb_launch() {
    local options=() extra=()
    ((EUID != 0)) || options+=(--user=root)
    read -r -a extra <<<"${MARIADB_OPTIONS:-}"
    [[ -z $SHORT_FOLDER ]] || mkdir -p "$SHORT_FOLDER" || die "cannot make $SHORT_FOLDER for the socket."
    mariadb_create
    mariadb_write_init_file
    # innodb_flush_log_at_trx_commit=1: what was committed survives a crash of the machine.
    launch mariadb mariadbd --no-defaults --datadir="$MARIADB_DATA" --socket="$MARIADB_SOCKET" \
        --pid-file="$RUN_DIR/mariadbd.own.pid" --init-file="$RUN_DIR/init.sql" --skip-networking \
        --skip-name-resolve --character-set-server=utf8mb4 --innodb-flush-log-at-trx-commit=1 \
        "${options[@]}" "${extra[@]}"
}

# Runs the client as the services' user; the statements come on standard input.
mariadb_query() {
    MYSQL_PWD=$SENDENSE_DATABASE_PASSWORD mariadb --no-defaults --socket="$MARIADB_SOCKET" \
        --user="$SENDENSE_DATABASE_USER" --connect-timeout=5 "$@" "$SENDENSE_DATABASE_NAME"
}

mariadb_is_ready() { mariadb_query -N -e 'SELECT 1' >/dev/null 2>"$RUN_DIR/mariadb.answer"; }
