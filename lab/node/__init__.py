"""The node agent: the lab's stand-in for kubelet, virt-handler and CDI.

A VirtualMachineInstance becomes a systemd-nspawn machine with its own cloud-init data, network namespace, disks and
limits. Its probes really run, and what they find is written to the API as those three would write it.
"""
