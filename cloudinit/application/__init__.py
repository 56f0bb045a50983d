"""The application guest: a JSON API that asks the database and says how long each part took."""

from cloudinit.document import SECRET, GuestFile, cloud_config
from cloudinit.families import FACTS
from cloudinit.guest import CONFIGURE, SETTINGS, install_packages, program
from cloudinit.guests import ApplicationGuest
from cloudinit.templates import read, unit_settings


def render_application(guest: ApplicationGuest) -> str:
    """User data of the application guest; it holds the password in clear."""
    return cloud_config(
        hostname=guest.hostname,
        files=[
            install_packages(guest.family),
            program("configure", "application/configure.sh"),
            GuestFile(path="/usr/local/lib/virtwork/server.py", content=read("application/server.py")),
            GuestFile(
                path=f"{SETTINGS}/application.env",
                content=unit_settings(DATABASE_HOST=guest.database_host, DATABASE_PORT=5432),
            ),
            # Ends in the newline that the server takes off again, as on the database guest.
            GuestFile(path=f"{SETTINGS}/database-password", content=f"{guest.password}\n", mode=SECRET),
            GuestFile(path="/etc/sysusers.d/virtwork-app.conf", content=read("application/sysusers.conf")),
            GuestFile(
                path="/etc/systemd/system/virtwork-app.service",
                content=read("application/virtwork-app.service"),
            ),
        ],
        commands=[[CONFIGURE, *FACTS[guest.family].application_packages]],
    )
