"""signerd beside the programs of others: keystores, signatures, proxies, Prometheus, PostgreSQL.

scripts/test-interop prepares what this needs, and starts it. Every line that it prints is something that holds;
the first that does not ends it.
"""

import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import eth_keyfile
import milagro_bls_binding as milagro
import requests
from ethstaker_deposit.key_handling.keystore import Keystore, Pbkdf2Keystore, ScryptKeystore
from py_ecc.bls import G2ProofOfPossession as py_ecc

ROOT = pathlib.Path(__file__).resolve().parents[2]
TLS = ROOT / "tests/tls"
BINARY = os.environ["SIGNERD_TEST_BINARY"]
NODE_MODULES = os.environ["SIGNERD_NODE_MODULES"]

# What users type, and what they never mean to type.
PASSWORDS = [
    "testpassword",
    "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑",
    "pässwörd",
    "pa\u0308sswo\u0308rd",
    "Ωμέγα",
    "пароль",
    "密码密码密码",
    "パスワード",
    "ﬁne ligature",
    "full width ＡＢＣ",
    "e\u0301\u0323 two marks",
    "한국어 비밀번호",
    "👩‍👩‍👧‍👦 family",
    "with \"quotes\" and \\backslash\\",
    "$HOME `id` $(id) ; &&",
    "inner  two  spaces",
    "tab\tinside",
    "colon: value # comment",
    "{\"json\": true}",
    "' OR 1=1 --",
    "0x00000000",
    "a" * 200,
    "%20%00+plus",
    "trailing punctuation.,;:!",
]


def secret_of(number):
    return (0x1234_5678_9ABC * (number + 1)).to_bytes(32, "big")


def public_key_of(secret):
    return "0x" + milagro.SkToPk(secret).hex()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def passed(what):
    print(f"ok     {what}", flush=True)


class Process:
    """A program that ends with this one."""

    def __init__(self, arguments, **options):
        self.arguments = [str(argument) for argument in arguments]
        self.options = options
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.arguments, **self.options)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


class Signer(Process):
    def __init__(self, directory, *arguments):
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = pathlib.Path(directory) / f"signerd-{self.port}.log"
        listen = ["--port", self.port, "--metrics-port", self.metrics_port]
        super().__init__([BINARY, *listen, *arguments], stderr=open(self.log, "a"))
        self.wait()

    def wait(self):
        wait_for(f"{self.url}/upcheck", self, self.log)

    def keys(self):
        return requests.get(f"{self.url}/api/v1/eth2/publicKeys", timeout=60).json()


def wait_for(url, process, log):
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if process.child.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"FAILED {url} does not answer:\n{log.read_text()}")


def sign(session, url, key, number, **options):
    """Asks for a signature of a RANDAO reveal's root. Returns the root and the signature."""
    root = number.to_bytes(32, "big")
    body = {"signingRoot": "0x" + root.hex(), "domain": "0x02000000"}
    answer = session.post(
        f"{url}/api/v1/eth2/sign/{key}",
        json=body,
        headers={"Accept": "application/json"},
        timeout=30,
        **options,
    )
    assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
    return root, bytes.fromhex(answer.json()["signature"][2:])


def write_private(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


# --- Keystores ---


def by_ethstaker_deposit(kind):
    def make(secret, password):
        store = kind.encrypt(secret=secret, password=password, path="m/12381/3600/0/0/0")
        return store.as_json()

    return make


def by_eth_keyfile(secret, password):
    keystore = eth_keyfile.create_keyfile_json(secret, password.encode(), version=4)
    return json.dumps(keystore)


def by_bls_keystore(secret, password):
    script = """
        const {create} = require("@chainsafe/bls-keystore");
        const {password, secret, key} = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const bytes = (hex) => Buffer.from(hex, "hex");
        create(password, bytes(secret), bytes(key), "m/12381/3600/0/0/0")
            .then((keystore) => console.log(JSON.stringify(keystore)));
    """
    given = {"password": password, "secret": secret.hex(), "key": milagro.SkToPk(secret).hex()}
    return in_node(script, given)


def in_node(script, given):
    output = subprocess.run(
        ["node", "-e", script],
        input=json.dumps(given),
        env={**os.environ, "NODE_PATH": NODE_MODULES},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return output.stdout.strip()


MAKERS = {
    "ethstaker-deposit, pbkdf2": (by_ethstaker_deposit(Pbkdf2Keystore), len(PASSWORDS)),
    # Each of these costs a second and 256 MiB.
    "ethstaker-deposit, scrypt": (by_ethstaker_deposit(ScryptKeystore), 4),
    "eth-keyfile": (by_eth_keyfile, len(PASSWORDS)),
    "bls-keystore": (by_bls_keystore, len(PASSWORDS)),
}


def keystores_of_other_tools_open(directory):
    """Makes a keystore with each tool and password, and asks each key for a signature."""
    expected = {}
    for maker, (make, count) in MAKERS.items():
        keystores = directory / maker.replace(", ", "-")
        keystores.mkdir(mode=0o700)
        for number, password in enumerate(PASSWORDS[:count]):
            secret = secret_of(len(expected))
            write_private(keystores / f"{number}.json", make(secret, password))
            write_private(keystores / f"{number}.txt", password)
            expected[public_key_of(secret)] = (maker, password)
        arguments = ["--keystores-path", keystores, "--keystores-passwords-path", keystores]
        with Signer(directory, *arguments) as signer, requests.Session() as session:
            keys = set(signer.keys())
            missing = [
                password for key, (by, password) in expected.items() if by == maker and key not in keys
            ]
            assert not missing, f"{maker}: not opened with {missing}\n{signer.log.read_text()}"
            for number, key in enumerate(sorted(keys)):
                root, signature = sign(session, signer.url, key, number)
                assert milagro.Verify(bytes.fromhex(key[2:]), root, signature), key
        passed(f"{maker}: {count} keystores open, and milagro verifies a signature of each")


def keystores_of_signerd_open_elsewhere(directory):
    words = directory / "words"
    write_private(words, "abandon " * 11 + "about\n")
    made = directory / "made"
    subprocess.run(
        [BINARY, "keys", "new", "--mnemonic-file", words, "--count", "2", "--out", made],
        check=True,
        capture_output=True,
    )
    files = sorted(made.rglob("*.json"))
    stores = [file for file in files if "crypto" in json.loads(file.read_text())]
    assert len(stores) == 2, files
    for file in stores:
        keystore = json.loads(file.read_text())
        password = password_of(file).read_text().rstrip("\n")
        secret = Keystore.from_file(str(file)).decrypt(password)
        assert milagro.SkToPk(secret).hex() == keystore["pubkey"].removeprefix("0x")
        assert eth_keyfile.decode_keyfile_json(keystore, password.encode()) == secret
        script = """
            const {decrypt} = require("@chainsafe/bls-keystore");
            const {keystore, password} = JSON.parse(require("fs").readFileSync(0, "utf8"));
            decrypt(keystore, password).then((secret) => console.log(Buffer.from(secret).toString("hex")));
        """
        assert in_node(script, {"keystore": keystore, "password": password}) == secret.hex()
    passed("keystores of `signerd keys new` open in ethstaker-deposit, eth-keyfile and bls-keystore")


def password_of(keystore):
    candidates = [keystore.with_suffix(".txt")]
    candidates += keystore.parent.parent.rglob(keystore.with_suffix(".txt").name)
    candidates += keystore.parent.parent.rglob("*.txt")
    return next(file for file in candidates if file.exists())


def py_ecc_verifies(directory):
    with Signer(directory, "--interop-keys", "0..3") as signer, requests.Session() as session:
        for number, key in enumerate(signer.keys()):
            root, signature = sign(session, signer.url, key, 1_000 + number)
            assert py_ecc.Verify(bytes.fromhex(key[2:]), root, signature), key
    passed("py_ecc verifies signatures")


# --- A fleet behind a proxy ---

NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
    uwsgi_temp_path {directory}; scgi_temp_path {directory};
    upstream signers {{
        server 127.0.0.1:{first} max_fails=1 fail_timeout=1s;
        server 127.0.0.1:{second} max_fails=1 fail_timeout=1s;
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {tls}/server.pem;
        ssl_certificate_key {tls}/server.key;
        ssl_client_certificate {tls}/ca.pem;
        ssl_verify_client on;
        location / {{
            proxy_pass http://signers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_connect_timeout 1s;
            # A sign request may be sent twice: the same message gets the same signature.
            proxy_next_upstream error timeout http_502 http_503 non_idempotent;
        }}
    }}
}}
"""

PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: signerd
    static_configs: [{{targets: ["127.0.0.1:{first}", "127.0.0.1:{second}"]}}]
"""


def a_fleet_behind_a_proxy(directory):
    """Two signers on one PostgreSQL, nginx with mutual TLS before them, Prometheus beside them."""
    database = "postgresql://{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
    password = directory / "database-password"
    write_private(password, os.environ["PGPASSWORD"])

    def signer(name):
        data = directory / name
        data.mkdir(mode=0o700)
        return Signer(
            directory, "--interop-keys", "0..8", "--data-dir", data,
            "--slashing-protection-db-url", database,
            "--slashing-protection-db-username", os.environ["PGUSER"],
            "--slashing-protection-db-password-file", password,
        )  # fmt: skip

    with signer("first") as first, signer("second") as second:
        port = free_port()
        configuration = directory / "nginx.conf"
        configuration.write_text(
            NGINX.format(
                directory=directory, first=first.port, second=second.port, port=port, tls=TLS
            )
        )
        with Process(["nginx", "-c", configuration]):
            url = f"https://localhost:{port}"
            wait_for_port(port)
            without_certificate_nothing_is_served(url)
            duties_go_on_while_a_signer_dies(url, first)
        prometheus_scrapes(directory, first, second)


def wait_for_port(port):
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"FAILED nothing listens on port {port}")


def without_certificate_nothing_is_served(url):
    answer = requests.get(f"{url}/upcheck", verify=TLS / "ca.pem", timeout=10)
    assert answer.status_code == 400, answer.status_code
    passed("nginx serves no client without a certificate")


def attestation(epoch):
    checkpoint = lambda epoch: {"epoch": str(epoch), "root": "0x" + "03" * 32}
    version = "0x03000000"
    return {
        "type": "ATTESTATION",
        "fork_info": {
            "fork": {"previous_version": version, "current_version": version, "epoch": "0"},
            "genesis_validators_root": "0x" + "50" * 32,
        },
        "attestation": {
            "slot": str(epoch * 32),
            "index": "0",
            "beacon_block_root": "0x" + "04" * 32,
            "source": checkpoint(epoch - 1),
            "target": checkpoint(epoch),
        },
    }


def duties_go_on_while_a_signer_dies(url, victim):
    is_over = threading.Event()

    def kill_now_and_then():
        while not is_over.wait(1):
            victim.kill()
            if is_over.wait(1):
                break
            victim.start()
        if victim.child.poll() is not None:
            victim.start()

    # A daemon ends with the program: after a failure nobody tells it to.
    killer = threading.Thread(target=kill_now_and_then, daemon=True)
    killer.start()
    signed = 0
    with requests.Session() as session:
        # An authority of the environment (REQUESTS_CA_BUNDLE) would take precedence.
        session.trust_env = False
        session.verify = TLS / "ca.pem"
        session.cert = (TLS / "client.pem", TLS / "client.key")
        keys = session.get(f"{url}/api/v1/eth2/publicKeys", timeout=30).json()
        end = time.monotonic() + 15
        epoch = 100
        while time.monotonic() < end:
            epoch += 1
            for key in keys:
                answer = session.post(
                    f"{url}/api/v1/eth2/sign/{key}", json=attestation(epoch), timeout=30
                )
                assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
                signed += 1
    is_over.set()
    killer.join()
    victim.wait()
    assert signed > 100, signed
    passed(f"{signed} attestations through nginx with mutual TLS while one of two signers is killed again and again")


def prometheus_scrapes(directory, first, second):
    port = free_port()
    configuration = directory / "prometheus.yml"
    configuration.write_text(
        PROMETHEUS.format(first=first.metrics_port, second=second.metrics_port)
    )
    log = directory / "prometheus.log"
    arguments = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={directory}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with Process(arguments, stderr=open(log, "w")):
        wait_for_port(port)
        query = f"http://127.0.0.1:{port}/api/v1/query?query="
        for _ in range(100):
            up = requests.get(query + "sum(up)", timeout=10).json()["data"]["result"]
            if up and up[0]["value"][1] == "2":
                break
            time.sleep(0.2)
        else:
            sys.exit(f"FAILED Prometheus does not scrape both signers: {log.read_text()}")
        signed = requests.get(query + "sum(eth2_slashingprotection_permitted_signings_total)", timeout=10)
        assert float(signed.json()["data"]["result"][0]["value"][1]) > 0, signed.text
    passed("Prometheus scrapes both signers")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="signerd-interop-") as name:
        directory = pathlib.Path(name)
        # nginx drops its rights, and reads its certificates before.
        py_ecc_verifies(directory)
        keystores_of_signerd_open_elsewhere(directory)
        keystores_of_other_tools_open(directory)
        if all(os.environ.get(name) for name in ("PGHOST", "PGPORT")):
            a_fleet_behind_a_proxy(directory)
        else:
            print("SKIPPED the fleet: no PostgreSQL", flush=True)


main()
