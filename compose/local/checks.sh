# shellcheck shell=bash
# ./dev lint

lint_tree() {
    local failed=() script swift_files shell_files
    need_swift
    cd "$ROOT" || exit 1
    # Generated code is not ours to format.
    mapfile -d '' swift_files < <(find Package.swift Services Shared Tests Benchmarks -name '*.swift' \
        ! -name '*.pb.swift' ! -path '*/.build*/*' -print0 2>/dev/null | sort -z)
    mapfile -d '' shell_files < <(find dev .ci compose -type f \
        \( -name '*.sh' -o -path dev -o -path '.ci/*' \) -print0 2>/dev/null | sort -z)

    step "swift format lint (${#swift_files[@]} files)"
    supervise swift format lint --strict --parallel "${swift_files[@]}" || failed+=("swift format")

    step "bash -n (${#shell_files[@]} files)"
    for script in "${shell_files[@]}"; do
        bash -n "$script" || failed+=("bash -n $script")
    done

    step "shellcheck"
    if try_packages "${LINT_PACKAGES[@]}"; then
        shellcheck -x -P "$ROOT" "${shell_files[@]}" || failed+=(shellcheck)
    else
        warn "left out: there is no shellcheck here."
    fi

    step "docker-compose config"
    if try_packages "${COMPOSE_PACKAGES[@]}"; then
        # Needs no engine, and no password yet.
        docker-compose -f compose/compose.yaml config -q || failed+=("docker-compose config")
    else
        warn "left out: there is no docker-compose here."
    fi

    step "haproxy -c"
    # Not installed for this: its package starts a service.
    if command -v haproxy >/dev/null; then
        haproxy -c -q -f compose/haproxy.cfg || failed+=("haproxy -c")
    else
        warn "left out: there is no haproxy here."
    fi

    ((${#failed[@]} == 0)) || die "lint found something: $(printf '%s; ' "${failed[@]}")see above." \
        "'swift format -i FILE' mends what is only form."
    say "lint: nothing to complain of."
}
