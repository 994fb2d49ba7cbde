# shellcheck shell=bash
# The parts share variables: one sets what another reads.
# shellcheck disable=SC2153
# ./dev fuzz: libFuzzer with AddressSanitizer over what reads bytes of others (docs/fuzzing.md).

readonly FUZZ_TARGETS=(door telemetry wire rules)
# The longest input, in bytes: enough for a few requests or messages, and short inputs are tried faster.
readonly FUZZ_BYTES_MAX=4096

fuzz_tree() {
    FUZZ_SECONDS=${TOLD_SECONDS:-60}
    local target targets=("${FUZZ_TARGETS[@]}") status=0
    [[ $FUZZ_SECONDS =~ ^[1-9][0-9]*$ ]] || die "SECONDS=$FUZZ_SECONDS: it is a whole number above 0, for each target."
    if [[ -n ${TARGET:-} ]]; then
        [[ " ${FUZZ_TARGETS[*]} " == *" $TARGET "* ]] \
            || die "TARGET=$TARGET: there is no such target; there are ${FUZZ_TARGETS[*]}."
        targets=("$TARGET")
    fi
    [[ -z ${INPUT:-} || -n ${TARGET:-} ]] || die "INPUT needs the TARGET that it is for: ${FUZZ_TARGETS[*]}."
    [[ -z ${INPUT:-} || -f $INPUT ]] || die "INPUT=$INPUT: there is no such file."
    [[ -z ${INPUT:-} ]] || INPUT=$(realpath "$INPUT")
    fuzz_build
    use_state
    if [[ -n ${INPUT:-} ]]; then
        # A finding that is in a file already needs no other one.
        fuzz_runner "$TARGET" -exact_artifact_path=/dev/null "$INPUT" && say "$INPUT: the promises hold."
        exit
    fi
    if [[ ${MERGE:-0} == 1 ]]; then
        for target in "${targets[@]}"; do fuzz_merge "$target" || status=1; done
        exit "$status"
    fi
    FUZZ_TABLE=()
    for target in "${targets[@]}"; do fuzz_target "$target" || status=1; done
    printf '\n%-10s %12s %8s %8s %9s  %s\n' target executions seconds edges features findings
    printf '%s\n' "${FUZZ_TABLE[@]}"
    exit "$status"
}

# A folder of its own: everything in it is instrumented, the dependencies too.
fuzz_build() {
    local folder=$ROOT/.build-fuzz flags
    prepare_build
    is_own_folder "$folder" || ((EUID == 0)) || folder=$(personal_folder)/build-fuzz || exit 1
    flags=(-c release --scratch-path "$folder" --product FuzzRunner --sanitize address
        -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link -Xswiftc -enable-testing)
    step "Building with libFuzzer and AddressSanitizer; the first time this takes some ten minutes"
    SENDENSE_FUZZ=1 supervise swift build "${flags[@]}" || die "the build failed; the compiler's words are above."
    FUZZ_RUNNER=$(SENDENSE_FUZZ=1 swift build "${flags[@]}" --show-bin-path)/FuzzRunner
}

# fuzz_runner TARGET ARGUMENT...: the instrumented program. Swift's own crash handler hangs under the sanitizers; to
# note where each piece of memory came from takes a tenth of the time.
fuzz_runner() {
    local target=$1
    shift
    supervise env SENDENSE_FUZZ_TARGET="$target" SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=detect_leaks=0:malloc_context_size=2 \
        "$FUZZ_RUNNER" -max_len="$FUZZ_BYTES_MAX" -timeout=10 -rss_limit_mb=2048 "$@"
}

# Fuzzes one target for FUZZ_SECONDS; adds its line to FUZZ_TABLE. Fails if there is a finding.
fuzz_target() {
    local target=$1 work=$STATE/fuzz/$1 log found finding='none' status arguments
    log=$work/log
    mkdir -p "$work/corpus" || die "cannot make $work/corpus."
    arguments=(-max_total_time="$FUZZ_SECONDS" -print_final_stats=1 -artifact_prefix="$work/found-")
    [[ ! -f Tests/Fuzz/dictionaries/$target.dict ]] \
        || arguments+=(-dict="Tests/Fuzz/dictionaries/$target.dict")
    step "Fuzzing $target for $FUZZ_SECONDS s; its words are in $log"
    fuzz_runner "$target" "${arguments[@]}" "$work/corpus" "Tests/Fuzz/corpus/$target" >"$log" 2>&1
    status=$?
    if ((status != 0)); then
        found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
        finding=${found:-"exit status $status, see $log"}
        warn "$target: $(grep -aom1 -E 'Fatal error: .*|ERROR: .*|SUMMARY: .*' "$log" | cut -c1-1000)"
        [[ -z $found ]] || warn "run it again with: ./dev fuzz TARGET=$target INPUT=$found"
    fi
    FUZZ_TABLE+=("$(awk -v target="$target" -v finding="$finding" '
        /^stat::number_of_executed_units:/ { executions = $2 }
        match($0, / cov: [0-9]+/) { edges = substr($0, RSTART + 6, RLENGTH - 6) }
        match($0, / ft: [0-9]+/) { features = substr($0, RSTART + 5, RLENGTH - 5) }
        /^Done / { seconds = $5 }
        END { printf "%-10s %12s %8s %8s %9s  %s", target, executions, seconds, edges, features, finding }
    ' "$log")")
    return "$((status != 0))"
}

# Adds to the corpus in the repository the fewest inputs of the work folder that reach what it does not.
fuzz_merge() {
    local target=$1 work=$STATE/fuzz/$1 corpus=$ROOT/Tests/Fuzz/corpus/$1 before after
    [[ -d $work/corpus ]] || die "$target has not been fuzzed here yet: ./dev fuzz TARGET=$target"
    before=$(find "$corpus" -type f | wc -l)
    step "Merging $work/corpus into Tests/Fuzz/corpus/$target"
    # Counters off: an input for each edge, not for each number of times that it is passed.
    fuzz_runner "$target" -set_cover_merge=1 -use_counters=0 "$corpus" "$work/corpus" >"$work/merge.log" 2>&1 \
        || { warn "it failed; see $work/merge.log"; return 1; }
    after=$(find "$corpus" -type f | wc -l)
    say "$target: $((after - before)) inputs more, $after in all."
}
