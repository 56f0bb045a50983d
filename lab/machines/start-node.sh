#!/bin/sh
# Become the node: build its file system around the root file system $1, in the current directory, and stay as its first
# process. The rest of the arguments are directories of this machine that the node sees at the same path.
# Runs in new mount, process, control group, host name and IPC namespaces.
set -eu
rootfs=$1
shift

umask 022
state=$PWD
rm -f leader
# The pid outside of the node, where /proc still belongs.
read -r pid _ < /proc/self/stat
mkdir -p root upper work containerd kubelet sysctl
# A colon or a comma in a path would end an option, so the options name what is in the working directory.
ln -sfn "$rootfs" lower
mount -t overlay -o "lowerdir=lower,upperdir=upper,workdir=work" overlay root
for directory in "$@"; do
  mkdir -p "root$directory"
  mount --rbind "$directory" "root$directory"
done
# Container images need a file system that is no overlay.
for name in containerd kubelet; do
  mkdir -p "root/var/lib/$name"
  mount --bind "$name" "root/var/lib/$name"
done

mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
mount -t tmpfs -o mode=755 tmpfs root/run
mkdir -p root/run/lock

# Control groups: the hierarchies of this machine, seen from the node's own group.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 root/sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs root/sys/fs/cgroup
  while IFS=: read -r _ names _; do
    case $names in
      "") directory=unified ;;
      name=*) directory=${names#name=} ;;
      *) directory=$names ;;
    esac
    mkdir "root/sys/fs/cgroup/$directory"
    case $names in
      "") mount -t cgroup2 cgroup2 root/sys/fs/cgroup/unified ;;
      name=*) mount -t cgroup -o "none,$names" cgroup "root/sys/fs/cgroup/$directory" ;;
      *)
        mount -t cgroup -o "$names" cgroup "root/sys/fs/cgroup/$directory"
        for name in $(printf '%s' "$names" | tr , ' '); do
          [ -e "root/sys/fs/cgroup/$name" ] || ln -s "$directory" "root/sys/fs/cgroup/$name"
        done
        ;;
    esac
  done < /proc/self/cgroup
fi

# Devices: those of a container host, and this machine's KVM if $KVM is set.
mount -t tmpfs -o mode=755,nosuid tmpfs root/dev
mkdir root/dev/net root/dev/pts root/dev/shm root/dev/mqueue
for device in null zero full random urandom tty kmsg net/tun fuse loop-control vhost-net vhost-vsock ${KVM:+kvm}; do
  [ -e "/dev/$device" ] && cp -a "/dev/$device" "root/dev/$device"
done
chmod 666 root/dev/null root/dev/zero root/dev/full root/dev/random root/dev/urandom root/dev/tty root/dev/net/tun
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
mount -t mqueue mqueue root/dev/mqueue
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd

# Kubelet sets these for a whole machine. Here it writes to files.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
  kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=sysctl/$(basename "$setting")
  cat "/proc/sys/$setting" > "$copy"
  mount --bind "$copy" "root/proc/sys/$setting"
done

hostname "$NODE_NAME"
mkdir -p root/old
cd root
pivot_root . old
cd /
umount -l /old
# Kubelet's and virt-handler's mounts have to reach containers.
mount --make-rshared /
echo "$pid" > "$state/leader"
exec catatonit -P
