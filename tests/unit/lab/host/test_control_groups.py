from pathlib import Path

from lab.host.control_groups import Group, Hierarchy, hierarchies

LAB = "multi-tier-0123abcd"
V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V1_MEMBERSHIP = """\
9:name=systemd:/user.slice
4:memory:/session/7
3:devices:/
1:cpu,cpuacct:/
0::/user.slice
"""


def bases(mountinfo: str, membership: str) -> dict[str, str]:
    return {str(tree.mount): str(tree.base) for tree in hierarchies(mountinfo, membership, LAB)}


def test_version_1_uses_the_named_the_unified_and_the_limiting_trees() -> None:
    assert set(bases(V1, V1_MEMBERSHIP)) == {
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup/systemd",
        "/sys/fs/cgroup/unified",
    }


def test_a_limit_of_the_caller_holds_for_the_lab_because_its_groups_are_made_below_the_callers() -> None:
    assert bases(V1, V1_MEMBERSHIP)["/sys/fs/cgroup/memory"] == "/sys/fs/cgroup/memory/session/7"


def test_trees_that_only_name_things_are_used_from_their_root() -> None:
    found = bases(V1, V1_MEMBERSHIP)
    assert found["/sys/fs/cgroup/systemd"] == "/sys/fs/cgroup/systemd"
    assert found["/sys/fs/cgroup/unified"] == "/sys/fs/cgroup/unified"


def test_a_component_of_the_lab_makes_groups_beside_its_own_and_not_below_it() -> None:
    membership = V1_MEMBERSHIP.replace("/session/7", f"/session/7/{LAB}/node-agent")
    assert bases(V1, membership)["/sys/fs/cgroup/memory"] == "/sys/fs/cgroup/memory/session/7"


def test_inside_a_container_the_path_is_taken_below_what_is_mounted() -> None:
    mountinfo = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    assert bases(mountinfo, "4:memory:/docker/abc\n") == {"/sys/fs/cgroup/memory": "/sys/fs/cgroup/memory"}


def test_version_2_alone_is_one_tree_with_its_controllers(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    mountinfo = f"30 23 0:26 / {tmp_path} rw,relatime - cgroup2 cgroup2 rw\n"
    [tree] = hierarchies(mountinfo, "0::/user.slice/session-3.scope\n", LAB)
    assert tree.version == 2
    assert tree.controllers == {"cpu", "memory", "pids"}
    assert tree.base == tmp_path


def test_memory_is_counted_for_each_member_whoever_created_its_group(tmp_path: Path) -> None:
    for caller, member, used in (("", "etcd", 40), ("session/7", "etcd", 5), ("session/7", "guest", 90)):
        directory = tmp_path / caller / LAB / member
        directory.mkdir(parents=True)
        (directory / "memory.usage_in_bytes").write_text(f"{used + 1000}\n")
        (directory / "memory.stat").write_text("total_inactive_file 1000\n")
    group = Group(LAB)
    group._trees = [Hierarchy(tmp_path, 1, frozenset({"memory"}), tmp_path)]
    assert group.memory_usage() == {"etcd": 45, "guest": 90}


def test_a_limit_and_a_weight_of_the_processors_do_not_replace_each_other(tmp_path: Path) -> None:
    group = Group(f"{LAB}/guest")
    group._trees = [Hierarchy(tmp_path, 1, frozenset({"cpu"}), tmp_path)]
    assert group.create(cpus=1.5, weight=4) == []
    written = {file.name: file.read_text() for file in (tmp_path / LAB / "guest").iterdir()}
    assert written == {"cpu.shares": "4096", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"}
