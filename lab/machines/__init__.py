"""A real KubeVirt node on this machine: kubelet, containerd and virt-handler, with QEMU machines as guests.

The node is a set of namespaces with its own root file system, control groups and devices, inside the lab's network
namespace. When its first process ends, everything in it ends.
"""
