"""The node agent: what kubelet, virt-handler and CDI do on a node, done on this machine for the lab.

A VirtualMachineInstance becomes a systemd-nspawn machine with its own cloud-init data, network namespace, disks
and limits; its probes are really run, and what is seen is written back through the API as those three would.
"""
