"""Postfix as Debian sets it up, with its own folders."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from server import PASSWORD, USER, USERNAME, MailServer

# Folders of its queue in which an e-mail is that is not delivered yet.
QUEUES = ["maildrop", "incoming", "active", "deferred", "hold"]
REALM = "example.com"


class Postfix(MailServer):
    """The `smtp` service, with the options of Debian's `submission` where it asks for a login."""

    name = "Postfix"

    def configure(self) -> None:
        self.config = self.home / "config"
        shutil.copytree(self.files / "etc/postfix", self.config)
        data, mailboxes = self.folder("data"), self.folder("Maildir")
        (self.home / "queue").mkdir()
        # Programs of it that have given root away log as well: what a killed process left, at a start.
        self.log = self.home / "log"
        self.log.touch()
        os.chown(self.log, USER, USER)
        if self.setup.login:
            self.environment["SASL_PATH"] = str(next(self.files.glob("usr/lib/*/sasl2")))
            self._make_login()
        settings = (self.files / "usr/share/postfix/main.cf.debian").read_text() + f"""
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
daemon_directory = {self.files}/usr/lib/postfix/sbin
command_directory = {self.files}/usr/sbin
shlib_directory = {self.files}/usr/lib/postfix
meta_directory = {self.config}
queue_directory = {self.home}/queue
data_directory = {data}
maillog_file = {self.log}
maillog_file_prefixes = {self.home}
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME {' '.join(self.environment)}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.com
mydestination =
alias_maps =
alias_database =
# Its clients count as strangers, whose connections are limited.
mynetworks = 192.0.2.1
virtual_mailbox_domains = static:all
virtual_mailbox_base = {mailboxes}
virtual_mailbox_maps = static:./
virtual_uid_maps = static:{USER}
virtual_gid_maps = static:{USER}
"""
        options = ""
        if self.setup.tls:
            settings += f"""
smtpd_tls_cert_file = {self.certificates.certificate}
smtpd_tls_key_file = {self.certificates.key}
smtpd_tls_security_level = may
"""
        else:
            settings += "smtpd_tls_security_level = none\n"
        if self.setup.login:
            settings += f"""
cyrus_sasl_config_path = {self.config}/sasl
smtpd_sasl_local_domain = {REALM}
"""
            options = """
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject"""
        (self.config / "main.cf").write_text(settings)
        services = (self.files / "usr/share/postfix/master.cf.dist").read_text().splitlines()
        lines = [_unrooted(line) for line in services if not line.startswith("smtp      inet")]
        lines.append(f"127.0.0.1:{self.port} inet n - n - - smtpd{options}")
        (self.config / "master.cf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        self._postfix("start")

    def stop(self) -> None:
        self._postfix("stop")

    def stop_all(self) -> None:
        if (self.home / "queue/pid/master.pid").exists() and self._runs():
            self.stop()

    def queued(self) -> int:
        return sum(_is_whole(entry) for queue in QUEUES for entry in (self.home / "queue" / queue).rglob("*"))

    def taken(self) -> list[Path]:
        """`postfix stop` may also kill a delivery between the Maildir and its own record, and deliver
        once more what it took once: the two are the same, with its id in the queue."""
        return list({message.read_bytes(): message for message in super().taken()}.values())

    def unanswered(self) -> set[Path]:
        """`postfix stop` kills every process at once, also one whose e-mail is in the queue and whose
        client waits for the answer. Those that had an e-mail in hand then logged no disconnect."""
        in_hand, found = {}, set()
        for line in self.log.read_text(errors="replace").splitlines():
            if began := re.search(r"smtpd\[(\d+)\]: (\w+): client=", line):
                in_hand[began[1]] = began[2]
            elif ended := re.search(r"smtpd\[(\d+)\]: disconnect from", line):
                in_hand.pop(ended[1], None)
            elif "starting the Postfix mail system" in line:
                found.update(in_hand.values())
                in_hand.clear()
        return {message for message in self.maildir.glob("new/*") if _queue_id(message) in found}

    def _postfix(self, command: str) -> None:
        self.run(self.files / "usr/sbin/postfix", "-c", self.config, command)

    def _runs(self) -> bool:
        try:
            self._postfix("status")
        except RuntimeError:
            return False
        return True

    def _make_login(self) -> None:
        """Cyrus SASL looks the password up in a database of its own."""
        database = self.config / "sasl/sasldb2"
        (self.config / "sasl/smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {database}\n"
            f"mech_list: {self.setup.login}\n"
        )
        subprocess.run(
            [self.files / "usr/sbin/saslpasswd2", "-p", "-c", "-u", REALM, "-f", database, USERNAME],
            env=os.environ | self.environment,
            input=PASSWORD,
            text=True,
            check=True,
        )
        os.chown(database, USER, USER)


def _queue_id(message: Path) -> str | None:
    """Its name in the queue, which Postfix writes into each e-mail."""
    found = re.search(rb"\(Postfix\) with \w+ id (\w+)", message.read_bytes())
    return found and found[1].decode()


def _is_whole(entry: Path) -> bool:
    """Whether this is an e-mail of the queue; a process that was killed leaves parts of some."""
    try:
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IXUSR)


def _unrooted(line: str) -> str:
    """A service of master.cf without chroot, for which Debian's files would have to be copied."""
    fields = line.split()
    if len(fields) >= 8 and fields[4] == "y" and not line.startswith(("#", " ")):
        fields[4] = "n"
        return " ".join(fields)
    return line
