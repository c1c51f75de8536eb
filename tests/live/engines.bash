# engines.bash: engines within the lab, and containers of each kind in them; read by tests/live/containers.
#
# ENGINE: docker docker-vfs podman-crun podman-runc runc crun containerd lxc. KIND: counter several volumes limits terminal python
# nginx server; all but the last one count in a file.
work=/srv/containers
podman=(podman --storage-driver vfs --root "$work/podman" --cgroup-manager cgroupfs)
ctr=(ctr --address /run/containerd/containerd.sock)

wait_until() {  # COMMAND...: up to 15 seconds
  for _ in $(seq 150); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "this does not come true: $*" >&2
  return 1
}

tiny_root() {
  mkdir -p bin etc proc sys dev tmp data
  cp "$(command -v busybox)" bin/busybox
  for applet in sh sleep cat hostname mkdir rm; do ln -s busybox "bin/$applet"; done
  echo welcome >etc/motd
}
# The same with Python and nginx, as far as the lab has them.
programs_root() {
  local program file place
  cp -a ../tiny/. .
  mkdir -p usr/bin usr/sbin usr/lib usr/lib64 run www
  mkdir -p var/log/nginx var/lib/nginx
  ln -s usr/lib lib && ln -s usr/lib64 lib64
  echo root:x:0:0::/:/bin/sh >etc/passwd && echo root:x:0: >etc/group
  for program in /usr/bin/python3 /usr/sbin/nginx; do
    [ -x "$program" ] || continue
    cp -L "$program" ".$program"
    for file in $(env -u LD_LIBRARY_PATH ldd "$program" | grep -o '/[^ ]*'); do
      place=$(realpath "$(dirname "$file")")
      mkdir -p ".$place" && cp -L "$file" ".$place"
    done
  done
  cp -r /usr/lib/python3.* usr/lib/
  cat >count.py <<'END'
import time
i = 0
while True:
    i += 1
    with open("/count", "w") as file: file.write("%d\n" % i)
    time.sleep(0.05)
END
  cat >etc/nginx.conf <<'END'
daemon off; user root; worker_processes 2; pid /run/nginx.pid; error_log stderr;
events {}
http { access_log off; server { listen 80; root /www; } }
END
}

start_docker() {  # DRIVER
  local driver=$1
  docker_driver=$driver
  if [ -n "${dockerd:-}" ]; then kill "$dockerd" && wait "$dockerd" 2>/dev/null; fi
  printf '{"experimental": true, "storage-driver": "%s", "data-root": "%s/docker-%s"}\n' "$driver" "$work" "$driver" >/etc/docker/daemon.json
  rm -f /var/run/docker.pid
  dockerd >>"$work/dockerd.log" 2>&1 &
  dockerd=$!
  wait_until docker version || return 1
  local image
  for image in tiny programs; do
    docker image inspect "$image" >/dev/null 2>&1 || docker import "$work/$image.tar" "$image" >>"$work/import.log" || return 1
  done
}

start_engines() {
  local image
  mkdir -p "$work" /run/lock /run/podman /etc/docker
  mount -t tmpfs -o size=6g tmpfs "$work"
  mkdir -p "$work"/{podman,tiny,programs,volume}
  (cd "$work/tiny" && tiny_root && tar cf ../tiny.tar . && cd ../programs && programs_root && tar cf ../programs.tar .) >"$work/import.log" 2>&1
  start_docker overlay2 || return 1
  "${podman[@]}" system service --time=0 unix:///run/podman/podman.sock >"$work/podman.log" 2>&1 &
  printf 'version = 2\nroot = "%s/containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' "$work" >"$work/containerd.toml"
  containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
  wait_until test -S /run/podman/podman.sock && wait_until "${ctr[@]}" version || return 1
  for image in tiny programs; do
    "${podman[@]}" import "$work/$image.tar" "$image" >>"$work/import.log" 2>&1
    docker save "$image" -o "$work/saved.tar" && "${ctr[@]}" images import "$work/saved.tar" >/dev/null
    rm -f "$work/saved.tar"
  done
}

count_up='i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.05; done'
command_of() {  # KIND
  case $1 in
  several) echo "(while :; do sleep 3600; done) | cat >/tmp/out & $count_up" ;;
  python) echo 'exec python3 -S /count.py' ;;
  nginx) echo "nginx -c /etc/nginx.conf & ${count_up//\/count/\/www\/count}" ;;
  server) echo 'exec busybox nc -ll -p 7000 -e cat' ;;
  *) echo "$count_up" ;;
  esac
}
image_of() { case $1 in python | nginx) echo programs ;; *) echo tiny ;; esac; }
file_of() { case $1 in nginx) echo /www/count ;; *) echo /count ;; esac; }

bundle() {  # RUNTIME KIND
  local config=$work/bundles/count/config.json mounts='' resources=''
  rm -rf "$work/bundles/count"
  mkdir -p "$work/bundles/count"
  cp -a "$work/$(image_of "$2")" "$work/bundles/count/rootfs"
  case $2 in
  volumes) mounts='{"destination": "/vol", "type": "bind", "source": "'$work/volume'", "options": ["rbind", "rw"]},
    {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m"]},' ;;
  limits) resources='"memory": {"limit": 67108864}, "cpu": {"quota": 50000, "period": 100000},' ;;
  esac
  (cd "$work/bundles/count" && "$1" spec) || return 1
  sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"readonly": true/"readonly": false/' \
    -e 's/"hostname": "[^"]*"/"hostname": "orchard"/' "$config"
  COMMAND=$(command_of "$2") MOUNTS=$mounts RESOURCES=$resources perl -0pi -e '
    my $c = $ENV{COMMAND}; $c =~ s{(["\\])}{\\$1}g;
    s/"args": \[.*?\]/"args": ["sh", "-c", "$c"]/s;
    s/("mounts": \[)/$1$ENV{MOUNTS}/; s/("resources": \{)/$1$ENV{RESOURCES}/' "$config"
}

# LXC's container, without AppArmor and terminals, which lxc-checkpoint does not take.
lxc_config() {  # KIND
  local root=$work/bundles/count/rootfs
  rm -rf "$work/bundles/count"
  mkdir -p "$work/bundles/count" /var/lib/lxc/count
  cp -a "$work/$(image_of "$1")" "$root" && mkdir -p "$root/vol" && command_of "$1" >"$root/count.sh"
  printf '%s\n' 'lxc.uts.name = orchard' "lxc.rootfs.path = dir:$root" 'lxc.net.0.type = empty' 'lxc.net.0.flags = up' 'lxc.mount.auto = proc:mixed sys:ro' \
    'lxc.tty.max = 0' 'lxc.console.path = none' 'lxc.init.cmd = /bin/sh /count.sh' >/var/lib/lxc/count/config
  case $1 in
  volumes) printf 'lxc.mount.entry = %s\n' "$work/volume vol none rbind 0 0" 'tmpfs data tmpfs size=1m 0 0' ;;
  limits) printf 'lxc.cgroup.%s\n' 'memory.limit_in_bytes = 64M' 'cpu.cfs_quota_us = 50000' ;;
  esac >>/var/lib/lxc/count/config
}

start() {  # ENGINE KIND: container count
  local options=() image network=none
  image=$(image_of "$2")
  case $2 in
  volumes) options=(-v "$work/volume:/vol" --tmpfs /data) ;;
  limits) options=(--memory 64m --cpus 0.5) ;;
  terminal) options=(-t) ;;
  server | nginx) network=bridge ;;  # where there is none, podman's restores leave the loopback interface down
  esac
  case $1 in
  docker*) docker run -d --name count --hostname orchard "${options[@]}" "$image" sh -c "$(command_of "$2")" ;;
  podman-*) "${podman[@]}" run -d --name count --hostname orchard --network "$network" --runtime "${1#podman-}" --pids-limit=-1 \
    "${options[@]}" --security-opt seccomp=unconfined "$image" sh -c "$(command_of "$2")" ;;
  runc | crun) bundle "$1" "$2" && (cd "$work/bundles/count" && "$1" run -d count </dev/null >/dev/null 2>&1) ;;
  lxc) lxc_config "$2" && lxc-start -n count -d ;;
  containerd)
    case $2 in
    volumes) options=(--mount "type=bind,src=$work/volume,dst=/vol,options=rbind:rw" --mount type=tmpfs,src=tmpfs,dst=/data) ;;
    limits) options=(--memory-limit 67108864 --cpu-quota 50000 --cpu-period 100000) ;;
    esac
    "${ctr[@]}" run -d "${options[@]}" "docker.io/library/$image:latest" count sh -c "$(command_of "$2")" </dev/null ;;
  esac >/dev/null && if [ "$2" = server ]; then wait_until pid; else wait_until counts "$2"; fi
}
# The next podman container would take those of version 2 that others have left into its images, and its restore would make
# all of them anew below its own: each round would double them.
remove_cgroups() {
  mkdir -p /run/cgroup2
  mount -t cgroup2 cgroup2 /run/cgroup2 2>/dev/null || return 0
  find /run/cgroup2 -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null
  umount /run/cgroup2
}
remove() {  # ENGINE
  case $1 in
  docker*) docker rm -f count other ;;
  podman-*) "${podman[@]}" rm -f -t 0 count other ;;
  runc | crun) "$1" delete -f count ;;
  lxc) timeout 10 lxc-stop -k -n count; rm -rf /var/lib/lxc/count ;;
  containerd) "${ctr[@]}" tasks kill -s KILL count; sleep 0.3; "${ctr[@]}" tasks rm -f count; "${ctr[@]}" containers rm count ;;
  esac >/dev/null 2>&1
  rm -rf "$work/dumps" "$work/direct"
  remove_cgroups
  # What an engine has restored and forgotten.
  local left
  for left in $(pgrep -x 'sh|python3|nginx|sleep'); do
    if grep -q 'count\|nginx\|3600' "/proc/$left/cmdline" && [ "$left" -ne $$ ]; then kill -9 "$left"; fi
  done 2>/dev/null
}
# Those of containers that CRIU alone has restored.
remove_direct_cgroups() {
  echo THAWED >/sys/fs/cgroup/freezer/critpipe-other/freezer.state  # what is frozen does not end
  find /sys/fs/cgroup/*/critpipe-other -depth -type d -exec rmdir {} + 2>/dev/null
  ! ls -d /sys/fs/cgroup/*/critpipe-other
} 2>/dev/null
# Of the container count, or $container, or the process $direct.
pid() {
  if [ -n "${direct:-}" ]; then [ -e "/proc/$direct/root/bin" ] && echo "$direct"; return; fi
  crit-container inspect "${container:-count}" --json 2>/dev/null | sed -n 's/^    "pid": \([1-9][0-9]*\).*/\1/p' | grep .
}

# Two numbers, the second one larger: it counts. nginx is asked for its own.
count() {  # KIND
  local number process
  for _ in 1 2 3 4 5; do  # it may just be written
    process=$(pid) || return 1
    case $1 in
    nginx) number=$(nsenter -t "$process" -n busybox wget -qO- http://127.0.0.1/count 2>/dev/null) ;;
    *) number=$(cat "/proc/$process/root/count" 2>/dev/null) ;;
    esac
    if [ -n "$number" ]; then echo "$number"; return; fi
  done
  return 1
}
counts() {  # KIND
  local one two
  one=$(count "$1") && sleep 0.3 && two=$(count "$1") && [ "$two" -gt "$one" ]
}
# What it had counted to, from its root file system.
last_count() {  # ENGINE KIND
  local file number
  file=$(file_of "$2")
  case $1 in
  docker*) number=$(docker cp "count:$file" - | tar xO) ;;
  podman-*) number=$("${podman[@]}" cp "count:$file" - | tar xO) ;;
  *) number=$(cat "$work/bundles/count/rootfs$file") ;;
  esac
  echo "${number:-0}"
}

# What the engine itself says: id, pid, state, image, runtime.
own_answer() {  # ENGINE KIND
  case $1 in
  docker*) docker inspect -f '{{.Id}} {{.State.Pid}} {{.State.Status}} {{.Config.Image}} {{.HostConfig.Runtime}}' count ;;
  podman-*) "${podman[@]}" inspect -f '{{.Id}} {{.State.Pid}} {{.State.Status}} {{.ImageName}} {{.OCIRuntime}}' count ;;
  runc | crun) "$1" state count | tr -d '\n' | sed -E "s/.*\"pid\": *([0-9]+).*\"status\": *\"([a-z]+)\".*/count \1 \2  $1/" ;;
  lxc) echo "count $(lxc-info -n count -pH) $(lxc-info -n count -sH | tr A-Z a-z)  lxc" ;;
  containerd) "${ctr[@]}" tasks ls | awk -v image="docker.io/library/$(image_of "$2"):latest" \
    '$1 == "count" {print $1, $2, tolower($3), image, "io.containerd.runc.v2"}' ;;
  esac
}

# Does the engine fail at it without us? Then this says how; three times, since some fail now and then.
fails_alone() {  # ENGINE KIND [TCP]
  local said images=$work/own
  for _ in 1 2 3; do
    remove "$1"
    rm -rf "$images" && mkdir -p "$images"
    start "$1" "$2" 2>/dev/null || return 1
    said=$(
      exec 2>&1
      case $1 in
      docker*) docker checkpoint create count own && sleep 0.5 && { docker start --checkpoint own count || docker start --checkpoint own count; } ;;
      podman-*) "${podman[@]}" container checkpoint ${3:+--tcp-established} count && "${podman[@]}" container restore ${3:+--tcp-established} count ;;
      runc | crun)
        "$1" checkpoint --image-path "$images" --work-path "$images" count && "$1" delete -f count
        "$1" restore -d --image-path "$images" --work-path "$images" --bundle "$work/bundles/count" count </dev/null ;;
      lxc) lxc-checkpoint -s -n count -D "$images" && lxc-checkpoint -r -n count -D "$images" </dev/null >/dev/null 2>&1 ;;
      *) false ;;
      esac
    ) || { grep -v 'no version information' <<<"$said" | tail -1 | cut -c1-120; return 0; }
  done
  return 1
}
