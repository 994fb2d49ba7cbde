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
    [[ $CONFIG == release ]] || say "These are debug builds; CONFIG=release installs the optimized ones."
}
