"""Certificates for tests, which openssl makes."""

import os
import secrets
import ssl

import quantd_process

OPENSSL = os.environ["QUANTD_OPENSSL"]


def openssl(*arguments):
    """Runs openssl, and raises an error if it fails."""
    done = quantd_process.run(OPENSSL, *arguments)
    if done.returncode != 0:
        raise RuntimeError(f"openssl failed:\n{done.stderr}")


class Certificate:
    """A key and a certificate for it, as PEM, in `directory`.

    It is signed by `issuer`; without one, it is an authority that has signed itself. The common name is
    `name`. `alternatives` are what else it is for, such as "IP:127.0.0.1"; `name` as a DNS name, if there
    are none. A certificate with less than no `days` has expired.
    """

    def __init__(self, directory, name, issuer=None, alternatives=(), days=2, passphrase=None):
        self.key_path = directory / f"{name}.key"
        self.path = directory / f"{name}.pem"
        request = directory / f"{name}.request"
        extensions = directory / f"{name}.extensions"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                *(("-passout", f"pass:{passphrase}") if passphrase else ("-nodes",)),
                "-subj", f"/CN={name}", "-keyout", self.key_path, "-out", request)
        if issuer is None:
            signer = ("-signkey", self.key_path)
            lines = ["basicConstraints=critical,CA:TRUE"]
        else:
            signer = ("-CA", issuer.path, "-CAkey", issuer.key_path)
            lines = ["basicConstraints=critical,CA:FALSE"]
        lines.append("subjectAltName=" + ",".join(alternatives or [f"DNS:{name}"]))
        extensions.write_text("\n".join(lines), encoding="ascii")
        openssl("x509", "-req", "-in", request, "-out", self.path, "-days", days,
                "-set_serial", f"0x{secrets.token_hex(16)}", "-extfile", extensions, *signer)

    @property
    def private_key(self):
        return self.key_path.read_bytes()

    @property
    def certificate_chain(self):
        return self.path.read_bytes()

    @property
    def der(self):
        """The certificate as it is shown in handshakes."""
        return ssl.PEM_cert_to_DER_cert(self.certificate_chain.decode("ascii"))


def replace(path, content):
    """Writes a file as tools do that renew certificates: others see the old content or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    os.replace(new, path)
