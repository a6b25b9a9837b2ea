"""A mail server on this machine, which keeps what it is sent."""

from __future__ import annotations

import email
import socketserver
from email import policy
from email.message import EmailMessage

__all__ = ["Mailbox"]


class Mailbox(socketserver.ThreadingTCPServer):
    """Asks for no password; `address` is its Apprise URL."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[EmailMessage] = []
        people = "from=mlkit@example.org&to=team@example.org&mode=insecure"
        self.address = f"mailto://127.0.0.1:{self.server_address[1]}/?{people}"


class _Mail(socketserver.StreamRequestHandler):
    """Takes one client's mails by SMTP."""

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        """Speak with the client."""
        assert isinstance(self.server, Mailbox)
        self._say("220 here")
        for line in self.rfile:
            word = line.decode().split(maxsplit=1)[0].strip().lower()
            if word == "data":
                self._say("354 go on")
                lines = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(email.message_from_bytes(lines, policy=policy.default))
            self._say("221 bye" if word == "quit" else "250 fine")
            if word == "quit":
                return
