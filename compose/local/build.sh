# shellcheck shell=bash
# Building, testing, generated code.

readonly BINARIES=(sendense-ingest sendense-writer sendense-stale-detector sendense-backup-client)

# Sets SWIFT_FLAGS: configuration and, where .build is another user's, a build folder of our own.
SWIFT_FLAGS=()
prepare_build() {
    local folder
    need_packages "${BUILD_PACKAGES[@]}"
    need_swift
    cd "$ROOT" || exit 1
    SWIFT_FLAGS=(-c "$CONFIG")
    # SwiftPM's own locks for that folder.
    mapfile -t BUILD_LOCKS < <(compgen -G "${TMPDIR:-/tmp}/${ROOT//\//_}_.build*.lock")
    if ((EUID == 0)); then
        take_over_build_locks
        # What root builds stays usable for the owner of the repository.
        [[ -O $ROOT ]] || at_exit give_build_to_owner
    elif ! is_own_folder "$ROOT/.build" || ! may_write "${BUILD_LOCKS[@]}"; then
        folder=$(personal_folder)/build || exit 1
        warn "$ROOT/.build belongs to another user; building in $folder (the first time from scratch)."
        SWIFT_FLAGS+=(--scratch-path "$folder")
    fi
}

# In a sticky folder like /tmp not even root may open another user's file for writing (proc_sys_fs(5),
# protected_regular), but everybody may open root's.
take_over_build_locks() {
    local lock
    for lock in "${BUILD_LOCKS[@]}"; do
        [[ ! -O $lock ]] || continue
        flock -n 7 7<"$lock" || die "another user is building in $ROOT/.build; let that end first."
        rm -f "$lock"
    done
}

may_write() {
    local file
    for file in "$@"; do [[ -w $file ]] || return 1; done
}

give_build_to_owner() {
    chmod 666 "${TMPDIR:-/tmp}/${ROOT//\//_}_.build"*.lock 2>/dev/null
    find "$ROOT/.build" "$ROOT"/.build-* "$ROOT/Package.resolved" -user root \
        -exec chown -h --reference="$ROOT" {} + 2>/dev/null
}

# Sets BIN_DIR, where the binaries are, without building them.
find_binaries() {
    BIN_DIR=$(swift build "${SWIFT_FLAGS[@]}" --show-bin-path) || die "swift build --show-bin-path failed."
}

build_tree() {
    prepare_build
    step "Building ($CONFIG); the first time this takes some ten minutes"
    # SwiftPM builds some packages anew when it changes between with and without tests: always with them, where
    # tests are to be had, so that demo, stack and tests share one build.
    local with_tests=()
    [[ $CONFIG != debug ]] || with_tests=(--build-tests)
    supervise swift build "${SWIFT_FLAGS[@]}" "${with_tests[@]}" || die "the build failed; the compiler's words are above."
    find_binaries
}

# Binaries for `up`, `demo` and `install`: built, or those of SENDENSE_BIN_DIR with SKIP_BUILD=1.
need_binaries() {
    local binary
    if [[ ${SKIP_BUILD:-0} == 1 ]]; then
        [[ -n ${SENDENSE_BIN_DIR:-} ]] \
            || die "SKIP_BUILD=1 needs SENDENSE_BIN_DIR, the folder of the binaries."
        BIN_DIR=$SENDENSE_BIN_DIR
    else
        build_tree
    fi
    for binary in "${BINARIES[@]}"; do
        [[ -x $BIN_DIR/$binary ]] || die "there is no $binary in $BIN_DIR. ./dev build makes it."
    done
}

# `swift test` reads the tests' output to its end, so that a process which a test forgot keeps it waiting
# although the tests are over: no live child of its own, but others with the run's mark. Those are ended.
free_from_leaks() {
    local swift_test=$1 idle=0 pid start leaked children
    while sleep 2 2>/dev/null && kill -0 "$swift_test" 2>/dev/null; do
        idle=$((idle + 1))
        mapfile -t -d ' ' children < <(cat "/proc/$swift_test/task/"*/children 2>/dev/null)
        for pid in "${children[@]}"; do
            # A zombie has no start time here: it is over, but not yet waited for.
            if process_start "$pid" >/dev/null; then idle=0; fi
        done
        ((idle >= 5)) || continue
        leaked=0
        for pid in $(marked_processes "$SUPERVISED_MARK"); do
            [[ $pid != "$swift_test" ]] || continue
            start=$(process_start "$pid") || continue
            leaked=$((leaked + 1))
            end_process "$pid" "$start" 10
        done
        ((leaked == 0)) || warn "the tests left $leaked processes running; they were ended."
    done
}

test_tree() {
    local status
    need_packages "${DATABASE_PACKAGES[@]}" "${NBD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    prepare_build
    if [[ $CONFIG == release ]]; then
        # @testable imports need it; debug builds have it anyway.
        SWIFT_FLAGS+=(-Xswiftc -enable-testing)
    fi
    step "Building with tests ($CONFIG); the first time this takes some ten minutes"
    supervise swift build "${SWIFT_FLAGS[@]}" --build-tests \
        || die "the build failed; the compiler's words are above."
    find_binaries
    forget_stack
    # End-to-end tests start stacks from these binaries; a build inside the test run would wait for its lock.
    export SENDENSE_BIN_DIR=$BIN_DIR SKIP_BUILD=1
    step "Testing"
    # shellcheck disable=SC2034
    SUPERVISE_WATCH=free_from_leaks
    supervise swift test "${SWIFT_FLAGS[@]}" --skip-build "$@"
    status=$?
    ((LEFT_BEHIND == 0)) || warn "the tests left $LEFT_BEHIND processes running; they were ended."
    exit "$status"
}

proto_tree() {
    local plugin flags
    flags=(--package-path .build/checkouts/swift-protobuf --scratch-path .build-protoc -c release)
    is_own_folder "$ROOT/.build" || ((EUID == 0)) \
        || die "$ROOT/.build belongs to another user, who should run this."
    need_packages "${PROTO_PACKAGES[@]}"
    prepare_build
    step "Building protoc-gen-swift, at the version that Package.swift names"
    supervise swift package resolve || die "swift package resolve failed."
    supervise swift build "${flags[@]}" --product protoc-gen-swift \
        || die "protoc-gen-swift does not build; see above."
    plugin=$(swift build "${flags[@]}" --show-bin-path)/protoc-gen-swift
    protoc --plugin="protoc-gen-swift=$plugin" --proto_path=Shared/Wire --swift_opt=Visibility=Internal \
        --swift_out=Shared/Wire envelope.proto || die "protoc failed; see above."
    say "Shared/Wire/envelope.pb.swift is up to date."
}
