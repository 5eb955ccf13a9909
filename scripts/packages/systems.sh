# shellcheck shell=bash
# Systems made by debootstrap, and how one of them is booted in a container.

install_tools() {
    local missing=() pair
    for pair in systemd-nspawn:systemd-container debootstrap:debootstrap buildah:buildah crun:crun jq:jq \
        lintian:lintian shellcheck:shellcheck curl:curl ip:iproute2 pgrep:procps git:git; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} = 0 ] && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
}

# One system a line: directory, suite, mirror, further packages, options of debootstrap.
systems() {
    local debian=http://deb.debian.org/debian booted=systemd,systemd-sysv,dbus,curl,ca-certificates
    cat <<SYSTEMS
debian-12 bookworm $debian $booted
debian-13 trixie $debian $booted
debian-11 bullseye $debian passwd
ubuntu-24.04 noble http://archive.ubuntu.com/ubuntu passwd --no-check-gpg
SYSTEMS
}

# Makes a system unless it exists. Its programs run only inside a container, so the signature of Ubuntu's
# archive, whose keyring Debian does not have, is not needed.
bootstrap() { # name, suite, mirror, packages, options…
    local name=$1 suite=$2 mirror=$3 include=$4 script=
    shift 4
    [ ! -d "$roots/$name" ] || return 0
    if [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then # the suite is newer than debootstrap
        case $name in ubuntu-*) script=gutsy ;; *) script=sid ;; esac
    fi
    rm -rf "$roots/$name.part"
    debootstrap --variant=minbase --include="$include" "$@" "$suite" "$roots/$name.part" "$mirror" $script \
        >"$roots/$name.log" 2>&1 || { tail -n 3 "$roots/$name.log"; return 1; }
    mv "$roots/$name.part" "$roots/$name"
}

bootstrap_all() {
    local processes=() process system
    mkdir -p "$roots"
    while read -r -a system; do
        bootstrap "${system[@]}" &
        processes+=($!)
    done < <(systems)
    for process in "${processes[@]}"; do
        wait "$process" || true
    done
}

# Boots a system with a loopback of its own. Its changes go to an overlay that vanishes afterwards.
boot() { # name
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
        systemd-nspawn -q -D "$roots/$1" --volatile=overlay --timezone=off --boot --register=no --keep-unit \
        --capability=CAP_IPC_LOCK --private-network --bind-ro="$packages:/packages" --bind-ro="$vectors:/vectors" \
        --bind-ro="$PWD/tests/tls:/certificates" </dev/null >"$work/console" 2>&1 &
    nspawn=$!
    soon has_leader || { cat "$work/console"; return 1; }
    soon inside systemctl is-active --quiet multi-user.target 2>/dev/null
    # In this test a system call that the unit forbids kills the process. It cannot go unnoticed then that
    # the unit forbids something that signerd needs.
    inside mkdir -p /etc/systemd/system/signerd.service.d
    printf '[Service]\nSystemCallErrorNumber=kill\n' |
        inside tee /etc/systemd/system/signerd.service.d/strict.conf >/dev/null
}

has_leader() { leader=$(pgrep -P "$nspawn" | head -n 1) && [ -n "$leader" ]; }

inside() { nsenter --target "$leader" --all -- "$@"; }

halt() {
    [ -n "$leader" ] || return 0
    kill "$nspawn" 2>/dev/null || true # systemd-nspawn shuts the system down in order
    wait "$nspawn" 2>/dev/null || true
    leader=
}
