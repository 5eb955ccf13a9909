# shellcheck shell=bash
# The .deb: its build, and its installation in systems that do not run systemd.

build_packages() {
    rm -f "$packages"/*.deb
    scripts/build-deb "$architecture" "$binary"
    VERSION=$later scripts/build-deb "$architecture" "$binary"
    cp "$packages/signerd_${version}_$architecture.deb" "$packages/first.deb"
    cp "$packages/signerd_${later}_$architecture.deb" "$packages/later.deb"
}

# As in an image, or on a machine that is being installed: systemd does not run.
install_and_purge() { # system
    # shellcheck disable=SC2016 # the shell in the container expands this
    systemd-nspawn -q -D "$roots/$1" --volatile=overlay --timezone=off --register=no --keep-unit --private-network \
        --bind-ro="$packages:/packages" /bin/sh -euc '
        dpkg -i /packages/first.deb
        signerd --version
        [ "$(find /usr/share/signerd/grafana /usr/share/signerd/prometheus -type f | wc -l)" = 3 ]
        ip link set lo up 2>/dev/null || true
        signerd --port 8080 --interop-keys 0..2 & pid=$!
        signerd wait --timeout 20 --expect-keys 2
        kill $pid; wait $pid
        dpkg -i /packages/later.deb
        [ "$(stat -c %a:%U /var/lib/signerd)" = 700:signerd ]
        dpkg -r signerd
        [ -f /etc/signerd/signerd.yaml ]
        dpkg -P signerd
        [ ! -e /etc/signerd ] && [ ! -e /var/lib/signerd ]
        ! getent passwd signerd'
}

test_deb() {
    local system
    try "lintian: no errors, no warnings" lintian --fail-on error,warning "$packages/first.deb"
    for system in debian-11 debian-13 ubuntu-24.04; do
        if [ -d "$roots/$system" ]; then
            try "$system: install, serve, upgrade, remove, purge" install_and_purge "$system"
        else
            leave_out "$system" "its archive is not reachable"
        fi
    done
}
