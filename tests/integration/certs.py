"""Certificates of a test's own, made by the `openssl` command, and what to do with
them: configuration lines, and contexts for the test's own clients."""

import pathlib
import shutil
import ssl
import subprocess

from group import Skip


def openssl(*words):
    if shutil.which("openssl") is None:
        raise Skip("there is no openssl command here")
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True,
                   timeout=60)


class Identity:
    """A certificate and its key, as files."""

    def __init__(self, ca, path):
        self.ca, self.cert, self.key = ca, path.with_suffix(".crt"), \
            path.with_suffix(".key")

    def lines(self):
        """For data servers and sentinels."""
        return [f"tls-cert-file {self.cert}", f"tls-key-file {self.key}",
                f"tls-ca-cert-file {self.ca.cert}"]

    def context(self, with_certificate=True):
        """For a client of the test, which believes the same authority."""
        context = ssl.create_default_context(cafile=str(self.ca.cert))
        context.check_hostname = False
        if with_certificate:
            context.load_cert_chain(str(self.cert), str(self.key))
        return context


class Authority:
    def __init__(self, folder, name="ca"):
        self.dir = pathlib.Path(folder)
        self.cert, self.key = self.dir / f"{name}.crt", self.dir / f"{name}.key"
        self.n = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-days", 30, "-keyout", self.key, "-out", self.cert)

    def issue(self, name, names="IP:127.0.0.1", days=30, password=None):
        """A new identity for |names|; with days=-1 it has expired already."""
        self.n += 1
        made = Identity(self, self.dir / f"{name}-{self.n}")
        request, extra = made.cert.with_suffix(".csr"), made.cert.with_suffix(".ext")
        extra.write_text(f"subjectAltName={names}\n")
        hidden = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", *hidden, "-subj", f"/CN={name}",
                "-keyout", made.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                "-set_serial", self.n, "-days", days, "-extfile", extra,
                "-out", made.cert)
        return made
