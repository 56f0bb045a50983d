"""Ports, names and paths that the tiers, their clients and the tests agree on: stated here and nowhere else.

Templates see every constant by its name. Guests that need one at run time get this file (`files/*/constants.py`
are links to it).
"""

DATABASE_PORT = 5432
APPLICATION_PORT = 8080
WEB_PORT = 80
LOAD_AGENT_PORT = 8089

# Exporters, by what they report on; the load agent serves its metrics on its own port.
NODE_METRICS_PORT = 9100
DATABASE_METRICS_PORT = 9187
APPLICATION_METRICS_PORT = 9464
WEB_METRICS_PORT = 9113

# Connections that PostgreSQL accepts, those that it keeps for superusers, and those of one application machine: its
# pool, and one for its readiness, which thus tells of the database and not of a busy pool.
DATABASE_CONNECTIONS = 200
RESERVED_CONNECTIONS = 3
POOL_SIZE = 10
APPLICATION_CONNECTIONS = POOL_SIZE + 1

DATABASE_NAME = "appdb"
DATABASE_USER = "appuser"

# Limit of open files for nginx and the application, whose default would be 1,024, and nginx's connections within it.
OPEN_FILES = 16384
WEB_CONNECTIONS = 16000

# How long a guest that is being stopped serves on: until no client or proxy sends it anything new, and until nginx has
# closed the connections to it that it no longer uses.
DRAIN_SECONDS = 5

# System users of the guests.
APPLICATION_ACCOUNT = "virtwork-app"
METRICS_ACCOUNT = "virtwork-metrics"

PROGRAMS = "/usr/local/sbin"  # on root's PATH, and labelled executable by SELinux's policy
LIBRARY = "/usr/local/lib/virtwork"
SETTINGS = "/etc/virtwork"
UNITS = "/etc/systemd/system"
# Exists while a guest drains. Not below /run, whose files SELinux's policy hides from nginx.
DRAINING = f"{SETTINGS}/draining"
