"""A Kubernetes API of nothing but lists, for the tests: it pages, refuses, hangs and repeats page tokens on demand.

    kubernetes_api.py WORLD.json [--aws URL]

WORLD.json holds {"objects": [...], "token": "...", "hang": ["pods"], "refuse": {"nodes": 403}, "loop": ["events"],
"page": 2}. The file is read again for each request, so a test may change it. Prints a JSON line with `url`,
`plain_url`, `ca` (a file) and `aws`, and serves until its standard input ends.

With --aws it also stands before an emulator of EKS: what it answers to DescribeCluster says that the API is here.
"""

import base64
import datetime
import http.server
import ipaddress
import json
import pathlib
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KINDS = {
    "/api/v1/pods": "Pod",
    "/api/v1/nodes": "Node",
    "/api/v1/events": "Event",
    "/api/v1/serviceaccounts": "ServiceAccount",
    "/apis/karpenter.k8s.aws/v1/ec2nodeclasses": "EC2NodeClass",
    "/apis/eks.amazonaws.com/v1/nodeclasses": "NodeClass",
}
DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": kind.lower() + "s", "singularName": kind.lower(), "kind": kind, "verbs": ["get", "list"],
             "namespaced": kind != "Node"}
            for path, kind in KINDS.items() if path.startswith("/api/")
        ],
    },
}
WORLD = pathlib.Path(sys.argv[1])
AWS = sys.argv[sys.argv.index("--aws") + 1] if "--aws" in sys.argv else None
ASKED = []
WRITING = threading.Lock()


def world():
    return json.loads(WORLD.read_text())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, reason, message):
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
                             "reason": reason, "message": message})

    def secret(self, state, path):
        """One Secret by its name: nobody lists them."""
        _, _, _, _, namespace, _, name = urllib.parse.unquote(path).split("/")
        if "secrets" in state.get("hang", []):
            time.sleep(60)
        if "secrets" in state.get("refuse", {}):
            return self.refuse(state["refuse"]["secrets"], "Forbidden", f'secrets "{name}" is forbidden')
        for row in state["objects"]:
            if row["kind"] == "Secret" and (row["metadata"]["namespace"], row["metadata"]["name"]) == (namespace, name):
                return self.answer(200, row)
        self.refuse(404, "NotFound", f'secrets "{name}" not found')

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        state = world()
        authorization = self.headers.get("Authorization", "")
        with WRITING:
            ASKED.append({"path": address.path, "query": query, "authorization": authorization})
            WORLD.with_suffix(".asking").write_text(json.dumps(ASKED))
            WORLD.with_suffix(".asking").replace(WORLD.with_suffix(".asked"))
        wanted = state.get("token")
        if wanted and authorization != "Bearer " + wanted:
            return self.refuse(401, "Unauthorized", "Unauthorized")
        if state.get("eks_token") and not authorization.startswith("Bearer k8s-aws-v1."):
            return self.refuse(401, "Unauthorized", "Unauthorized")
        if address.path in DISCOVERY:
            return self.answer(200, DISCOVERY[address.path])
        if "/secrets/" in address.path:
            return self.secret(state, address.path)
        kind = KINDS.get(address.path)
        known = {row["kind"] for row in state["objects"]} | {"Pod", "Node", "Event", "ServiceAccount"}
        if kind not in known:
            return self.refuse(404, "NotFound", "the server could not find the requested resource")
        name = address.path.rsplit("/", 1)[1]
        if name in state.get("hang", []):
            time.sleep(60)
        if name in state.get("refuse", {}):
            return self.refuse(state["refuse"][name], "Forbidden",
                               f'{name} is forbidden: User "reader" cannot list resource "{name}"')
        rows = [row for row in state["objects"] if row["kind"] == kind]
        start = int(query.get("continue") or 0)
        size = min(int(query.get("limit") or 500), state.get("page", 500))
        end = start + size
        token = str(end) if end < len(rows) else ""
        if name in state.get("loop", []):
            token = "0"
        # As the API does: the items of a list do not say their kind.
        items = [{key: value for key, value in row.items() if key not in ("kind", "apiVersion")}
                 for row in rows[start:end]]
        version = address.path.split("/")[2:-1]
        self.answer(200, {"kind": kind + "List", "apiVersion": "/".join(version),
                          "metadata": {"resourceVersion": "1", "continue": token}, "items": items})


class Aws(http.server.BaseHTTPRequestHandler):
    """Hands everything on, and says in DescribeCluster that the Kubernetes API is here."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        headers = {key: value for key, value in self.headers.items()}
        request = urllib.request.Request(AWS + self.path, data=self.rfile.read(length) or None, headers=headers,
                                         method=self.command)
        try:
            with urllib.request.urlopen(request) as response:
                status, body, kind = response.status, response.read(), response.headers.get("Content-Type")
        except urllib.error.HTTPError as error:
            status, body, kind = error.code, error.read(), error.headers.get("Content-Type")
        if status == 200 and self.path.startswith("/clusters/") and self.path.count("/") == 2:
            document = json.loads(body)
            document["cluster"]["endpoint"] = URL
            document["cluster"]["certificateAuthority"] = {"data": base64.b64encode(CA.encode()).decode()}
            body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def certificates():
    """An authority, and a certificate of it for this address, with its key."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def make(name, key, issuer, signer, authority):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(signer, hashes.SHA256())

    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = make(named("test authority"), ca_key, named("test authority"), ca_key, True)
    leaf = make(named("kubernetes"), key, named("test authority"), ca_key, False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ca.public_bytes(pem).decode(), leaf.public_bytes(pem).decode() + secret.decode()


def serve(handler, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


CA, identity = certificates()
with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
    file.write(identity)
    file.flush()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file.name)
URL = f"https://127.0.0.1:{serve(Handler, tls)}"
plain = f"http://127.0.0.1:{serve(Handler)}"
ca_file = WORLD.with_suffix(".ca.pem")
ca_file.write_text(CA)
aws = f"http://127.0.0.1:{serve(Aws)}" if AWS else None
print(json.dumps({"url": URL, "plain_url": plain, "ca": str(ca_file), "aws": aws}), flush=True)
sys.stdin.read()
