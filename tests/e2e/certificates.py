"""Makes certificates for tests of TLS."""

import os

import quantd_process

OPENSSL = os.environ["QUANTD_OPENSSL"]


class Certificate:
    """Makes a key and a certificate for it, as PEM, which is self-signed or signed by `issuer`."""

    def __init__(self, directory, name, issuer=None):
        self.key_file = directory / f"{name}.key"
        self.certificate_file = directory / f"{name}.pem"
        done = quantd_process.run(
            OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            "-keyout", self.key_file, "-out", self.certificate_file, *(issuer.signs() if issuer else ()))
        if done.returncode != 0:
            raise RuntimeError(f"openssl failed:\n{done.stderr}")

    def signs(self):
        return "-CA", self.certificate_file, "-CAkey", self.key_file

    @property
    def private_key(self):
        return self.key_file.read_bytes()

    @property
    def certificate_chain(self):
        return self.certificate_file.read_bytes()
