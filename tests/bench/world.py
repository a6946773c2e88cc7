"""World: the DNS server and the TLS services that are probed, on loopback of a namespace of their own."""

import pathlib
import socket
import subprocess
import time

import broken

TARGETS = 5000
# As many fail where that is measured.
BROKEN = 1000
# Of these, every second has a certificate of its own; the others share one for the whole suffix.
OWN_CERTIFICATES = 1000
ADDRESS = "127.0.1.{}"


def host(number):
    return f"kv-{number}.vault.azure.net"


class World:
    """Everything is in `folder`. `stop` ends what was started."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.children = []
        run("ip", "link", "set", "lo", "up")
        self.certificates()
        self.dns()
        self.https()
        run("ip", "route", "add", "unreachable", "10.9.9.9")
        broken.serve()
        # blackbox_exporter asks the servers of the machine's resolv.conf.
        resolv_conf = self.write("resolv.conf", "nameserver 127.0.0.1\n")
        run("mount", "--make-rprivate", "/")
        run("mount", "--bind", resolv_conf, pathlib.Path("/etc/resolv.conf").resolve())

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, *command, **more):
        log = open(self.folder / f"{pathlib.Path(command[0]).name}.log", "ab")
        child = subprocess.Popen([str(word) for word in command], stdout=more.pop("stdout", log), stderr=log, **more)
        self.children.append(child)
        return child

    def stop(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(10)

    def certificates(self):
        """A CA, a key of RSA-2048, and certificates of it."""
        self.ca, key = self.folder / "ca.pem", self.folder / "key.pem"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "300"]
        run(*request, "-keyout", self.folder / "ca.key", "-out", self.ca, "-subj", "/CN=Bench CA")
        run("openssl", "genrsa", "-out", key, "2048")
        names = ["*.vault.azure.net", "other.example.com"]
        names += [host(number) for number in range(0, OWN_CERTIFICATES, 2)]
        for name in names:
            file = self.folder / f"{name.replace('*', 'any')}.pem"
            signed = ["openssl", "req", "-x509", "-key", key, "-days", "200", "-CA", self.ca]
            run(*signed, "-CAkey", self.folder / "ca.key", "-out", file, "-subj", "/CN=bench",
                "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE")
        self_signed = ["openssl", "req", "-x509", "-key", key, "-days", "200", "-out", self.folder / "untrusted.pem"]
        run(*self_signed, "-subj", "/CN=nobody", "-addext", "subjectAltName=DNS:*.vault.azure.net")
        self.dated(key)

    def dated(self, key):
        """Certificates whose time is over, has not come, or ends in a day."""
        self.write("index.txt", "")
        configuration = self.write("ca.conf", (
            "[ca]\ndefault_ca=ca\n[ca]\ndatabase={0}/index.txt\nnew_certs_dir={0}\nrand_serial=yes\ndefault_md=sha256\n"
            "policy=any\nunique_subject=no\nx509_extensions=leaf\n[any]\ncommonName=supplied\n"
            "[leaf]\nsubjectAltName=DNS:*.vault.azure.net\nbasicConstraints=critical,CA:FALSE\n").format(self.folder))
        request = self.folder / "request.pem"
        run("openssl", "req", "-new", "-key", key, "-subj", "/CN=bench", "-out", request)
        for name, begins, ends in ("expired", -9, -2), ("early", 2, 9), ("expiring", -9, 1):
            begins, ends = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)) for days in (begins, ends))
            run("openssl", "ca", "-batch", "-notext", "-config", configuration, "-cert", self.ca, "-keyfile",
                self.folder / "ca.key", "-in", request, "-out", self.folder / f"{name}.pem", "-startdate", begins, "-enddate", ends)

    def dns(self):
        lines = ["$TTL 10", "@ SOA ns hostmaster 1 3600 600 86400 10", "@ NS ns", "ns A 127.0.0.1"]
        private = list(lines)
        for number in range(TARGETS):
            lines.append(f"kv-{number} 60 CNAME kv-{number}.privatelink.vaultcore.azure.net.")
            private.append(f"kv-{number} A {ADDRESS.format(number % 200 + 1)}")
        lines += broken.records(BROKEN)
        self.write("vault.zone", "\n".join(lines) + "\n")
        self.write("private.zone", "\n".join(private) + "\n")
        zone = 'zone "%s" {{ type primary; file "{0}/%s"; }};\n'
        zones = zone % ("vault.azure.net", "vault.zone") + zone % ("privatelink.vaultcore.azure.net", "private.zone")
        configuration = self.write("named.conf", (
            'options {{ directory "{0}"; listen-on {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes; '
            'allow-query {{ any; }}; pid-file none; session-keyfile none; dnssec-validation no; }};\n'
            'controls {{ }};\n' + zones).format(self.folder))
        self.named = self.start("named", "-f", "-n", "1", "-c", configuration)
        wait_for_port(53)

    def https(self):
        certificate = "ssl_certificate {0}/{1}.pem; ssl_certificate_key {0}/key.pem;"
        reply = 'location / { add_header WWW-Authenticate "Bearer authorization=x" always; ' \
                'add_header x-ms-keyvault-service-version 1.9 always; return 401 "no"; }'
        servers = [f"server {{ listen 443 ssl default_server; {certificate.format(self.folder, 'any.vault.azure.net')} {reply} }}",
                   f"server {{ listen 127.0.3.1:443 ssl; {certificate.format(self.folder, 'other.example.com')} {reply} }}"]
        for name in "untrusted", "expired", "early", "expiring":
            address = broken.ADDRESSES[name][0]
            servers.append(f"server {{ listen {address}:443 ssl; {certificate.format(self.folder, name)} {reply} }}")
        denial = 'location / { return 403 "Client address is not authorized"; }'
        address = broken.ADDRESSES["denied"][0]
        servers.append(f"server {{ listen {address}:443 ssl; {certificate.format(self.folder, 'any.vault.azure.net')} {denial} }}")
        for number in range(0, OWN_CERTIFICATES, 2):
            name = host(number)
            servers.append(f"server {{ listen 443 ssl; server_name {name}; {certificate.format(self.folder, name)} {reply} }}")
        # Nothing listens at 127.0.1.250: it is refused there.
        listen = " ".join(f"listen {ADDRESS.format(n)}:443 ssl;" for n in range(1, 201))
        text = "\n".join(servers).replace("listen 443 ssl default_server;", listen + " listen 127.0.2.1:443 ssl;")
        text = text.replace("listen 443 ssl;", listen)
        configuration = self.write("nginx.conf", (
            f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;\n"
            "events { worker_connections 4096; }\n"
            "http { access_log off; server_names_hash_max_size 8192; server_names_hash_bucket_size 128;\n"
            f"ssl_session_cache off; ssl_session_tickets off; keepalive_timeout 5;\n"
            f"client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;\n"
            f"uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;\n{text}\n}}\n"))
        self.nginx = self.start("nginx", "-c", configuration)
        wait_for_port(443, "127.0.1.1")


def run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_port(port, address="127.0.0.1"):
    for _ in range(600):
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens at {address}:{port}")
