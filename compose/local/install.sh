# shellcheck shell=bash
# ./dev install

install_binaries() {
    local target=${DESTDIR:-}${PREFIX:-/usr/local}/bin binary folder how=()
    need_binaries
    # The nearest folder that exists decides who may write there.
    folder=$target
    while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
    if [[ ! -w $folder ]]; then
        [[ -z ${DESTDIR:-} ]] || die "cannot write $folder, where DESTDIR=$DESTDIR points to."
        command -v sudo >/dev/null \
            || die "cannot write $folder. As root, or with PREFIX=\$HOME/.local: ./dev install"
        say "$folder needs root: installing by sudo."
        how=(as_root)
    fi
    for binary in "${BINARIES[@]}"; do
        "${how[@]}" install -D -m 0755 "$BIN_DIR/$binary" "$target/$binary" \
            || die "cannot write $target/$binary."
        say "$target/$binary"
    done
    install_client_papers "${DESTDIR:-}${PREFIX:-/usr/local}/share" "${how[@]}"
    [[ $CONFIG == release ]] || say "These are debug builds; CONFIG=release installs the optimized ones."
}

# The backup client's manual, and what shells complete: install_client_papers SHARE [COMMAND ...]
install_client_papers() {
    local share=$1 client=sendense-backup-client shell file scripts
    local -A files=([bash]=bash-completion/completions/$client [zsh]=zsh/site-functions/_$client
        [fish]=fish/vendor_completions.d/$client.fish)
    shift
    "$@" install -D -m 0644 "$ROOT/docs/man/$client.1" "$share/man/man1/$client.1" \
        || die "cannot write $share/man/man1/$client.1."
    scripts=$(mktemp -d) || die "cannot make a temporary folder."
    for shell in bash zsh fish; do
        file=$share/${files[$shell]}
        "$BIN_DIR/$client" --generate-completion-script "$shell" >"$scripts/$shell" \
            || die "$client does not give its completions for $shell."
        "$@" install -D -m 0644 "$scripts/$shell" "$file" || die "cannot write $file."
    done
    rm -rf "$scripts"
    say "$share: the client's manual, and completions for bash, zsh and fish"
}
