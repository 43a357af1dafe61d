"""Exim of the package exim4-daemon-light, with its own folders and a configuration of a few lines."""

import os
import signal
import subprocess

from server import DEADLINE, PASSWORD, USER, USERNAME, MailServer, wait_until

CONFIGURATION = """
exim_path = {program}
primary_hostname = mail.example.com
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
spool_directory = {spool}
log_file_path = {logs}/%slog
pid_file_path = {logs}/exim.pid
notifier_socket =
keep_environment = {environment}
never_users = root
# Its program is not setuid here, so all of it is the user Debian-exim.
deliver_drop_privilege = true
qualify_domain = example.com
rfc1413_query_timeout = 0s
{tls}
acl_smtp_rcpt = check_rcpt

begin acl
check_rcpt:
{rules}
  accept

begin routers
everybody:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = {maildir}
  maildir_format
  user = Debian-exim

begin retry
* * F,1m,1s

begin authenticators
{authenticator}
"""

# Those of the configuration of Debian, with the password in them instead of a file.
AUTHENTICATORS = {
    "PLAIN": f"""
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USERNAME}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
  server_prompts = :
  server_advertise_condition = ${{if def:tls_in_cipher}}
""",
    "LOGIN": f"""
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = "Username:: : Password::"
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USERNAME}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
""",
}


class Exim(MailServer):
    """The daemon that listens and runs the queue."""

    name = "Exim"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        # Each that was started, as its connections and deliveries outlive it in its process group.
        self.daemons: list[subprocess.Popen] = []

    def configure(self) -> None:
        self.spool, self.logs = self.folder("spool"), self.folder("logs")
        self.config = self.home / "exim.conf"
        self.program = self.files / "usr/sbin/exim4"
        tls = f"tls_certificate = {self.certificates.certificate}\ntls_privatekey = {self.certificates.key}"
        os.chown(self.certificates.key, USER, USER)
        self.config.write_text(
            CONFIGURATION.format(
                program=self.program,
                port=self.port,
                spool=self.spool,
                logs=self.logs,
                environment=" : ".join(self.environment),
                tls=tls if self.setup.tls else "tls_advertise_hosts =",
                rules="  require authenticated = *" if self.setup.login else "",
                maildir=self.folder("Maildir"),
                authenticator=AUTHENTICATORS.get(self.setup.login, ""),
            )
        )
    def start(self) -> None:
        """Debian looks through the queue every 30 min; an e-mail is left there by the defaults after
        the tenth of a connection, so that takes 5 s here."""
        command = [self.program, "-C", self.config, "-bdf", "-q5s"]
        # In the foreground, but in a session of its own: Ctrl-C is answered by `stop_all`.
        daemon = subprocess.Popen(
            command, env=os.environ | self.environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.daemons.append(daemon)
        wait_until("Exim's answer", lambda: daemon.poll() is not None or self.listens())
        if daemon.poll() is not None:
            raise RuntimeError(f"Exim ended; see {self.home}")

    def stop(self) -> None:
        """As Debian's script does: it ends the daemon, and lets connections come to their end."""
        self.daemons[-1].terminate()
        self.daemons[-1].wait(timeout=DEADLINE)

    def stop_all(self) -> None:
        for daemon in self.daemons:
            try:
                os.killpg(daemon.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            daemon.wait(timeout=DEADLINE)

    def queued(self) -> int:
        return sum(1 for _ in (self.spool / "input").glob("**/*-H"))
