#!/bin/sh
# Installs packages of Debian (postgresql, nginx, libnginx-mod-stream, wrk, python3-venv, chromium,
# prometheus with its exporter of PostgreSQL's metrics) for their programs alone, as root: no
# service of theirs is started, now or at the next boot, and no database cluster is made.
#
#     sudo sh xtask/install.sh postgresql nginx
#
# What is changed for the time of the installation is put back at its end, however it ends.
set -eu

if [ "$(id -u)" != 0 ]; then
    echo "install.sh: must be run as root" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "install.sh: no apt-get here: install $* with your system's own packages" >&2
    exit 1
fi

policy=/usr/sbin/policy-rc.d                # asked by Debian's packages before they start a service
kept=$policy.kept-by-crebito
clusters=/etc/postgresql-common/createcluster.d
made_folder=

# Two of these at once would put back each other's files.
exec 9>/run/lock/crebito-install.lock
flock 9

put_back() {
    rm -f "$policy"
    # A file kept by a run that was killed is the original, too.
    if [ -e "$kept" ] || [ -L "$kept" ]; then mv -f "$kept" "$policy"; fi
    rm -f "$clusters/crebito.conf"
    if [ -n "$made_folder" ]; then rmdir -p --ignore-fail-on-non-empty "$clusters" || true; fi
}
trap put_back EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

new=
for package in "$@"; do
    is_installed "$package" || new="$new $package"
done

if { [ -e "$policy" ] || [ -L "$policy" ]; } && ! [ -e "$kept" ]; then mv "$policy" "$kept"; fi
printf '#!/bin/sh\nexit 101\n' >"$policy"   # "action forbidden by policy"
chmod 755 "$policy"
[ -d "$clusters" ] || made_folder=yes
mkdir -p "$clusters"
echo 'create_main_cluster = false' >"$clusters/crebito.conf"

export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@" 9>&-
}
# A fresh machine has no package lists, another one old ones: fetch them if it does not go without.
install "$@" || { apt-get -q update 9>&- && install "$@"; }

# Newly installed services are enabled for the next boot; those that were there before are not ours.
for package in $new; do
    case $package in postgresql | nginx | prometheus | prometheus-*) ;; *) continue ;; esac
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable "$package.service" 2>/dev/null || true
    else
        update-rc.d "$package" disable >/dev/null 2>&1 || true
    fi
done
