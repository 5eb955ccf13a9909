//! The certificates and keys that users have: what openssl and Java's keytool make is served, or refused
//! with a sentence that says what to do. The files are in `tests/tls`; their keys protect nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use signerd::server::ConnectionLimits;
use signerd::server::tls::{Tls, TlsFiles, TlsIdentity};

use crate::rig::{RUNTIMES, Rig};
use crate::support::secured::{private, source};
use crate::support::{Scratch, Signer, binary};

const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

fn pem(scratch: &Scratch, certificate: &str, key: &str) -> TlsFiles {
    let identity = TlsIdentity::Pem(
        private(scratch, certificate).into(),
        private(scratch, key).into(),
    );
    with_identity(identity)
}

fn with_identity(identity: TlsIdentity) -> TlsFiles {
    TlsFiles {
        identity,
        client_ca: None,
        known_clients: None,
        allow_insecure_permissions: false,
    }
}

/// Asks for `/upcheck` by `openssl s_client`; returns what it prints. `None` where there is no openssl.
fn ask(address: &str, version: &str, client: Option<&str>) -> Option<String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", address, version]);
    if let Some(name) = client {
        let certificate = source(&format!("{name}.pem"));
        let key = source(&format!("{name}.key"));
        command.args(["-cert", &certificate, "-key", &key]);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let request = b"GET /upcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // The connection may have ended.
    let _ = child.stdin.as_mut().unwrap().write_all(request);
    let output = child.wait_with_output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn fingerprint(name: &str) -> String {
    let certificate = CertificateDer::from_pem_file(source(&format!("{name}.pem"))).unwrap();
    let mut pairs = Vec::new();
    for byte in Sha256::digest(&certificate) {
        pairs.push(format!("{byte:02X}"));
    }
    pairs.join(":")
}

#[test]
fn keys_and_certificates_of_common_tools_are_served() {
    let scratch = Scratch::new("tls-served");
    let java = TlsIdentity::Pkcs12(
        private(&scratch, "java-ec.p12").into(),
        private(&scratch, "java.password").into(),
    );
    for (case, files) in [
        ("PKCS#12 of keytool -keyalg EC", with_identity(java)),
        (
            "PKCS#8 without the public half",
            pem(&scratch, "p384.pem", "p384-pkcs8.key"),
        ),
        (
            "SEC1 without the public half",
            pem(&scratch, "p384.pem", "p384-sec1.key"),
        ),
        ("X.509 version 1", pem(&scratch, "v1.pem", "v1.key")),
        (
            "self-signed with CA:TRUE",
            pem(&scratch, "catrue.pem", "catrue.key"),
        ),
        ("expired", pem(&scratch, "expired.pem", "expired.key")),
    ] {
        let tls = Tls::open(files).unwrap_or_else(|error| panic!("{case}: {error}"));
        let rig = Rig::secure(RUNTIMES[0], ConnectionLimits::default(), Some(tls));
        for version in VERSIONS {
            let Some(answer) = ask(&rig.address.to_string(), version, None) else {
                return;
            };
            assert!(answer.ends_with("OK"), "{case} {version}: {answer}");
        }
    }
}

#[test]
fn a_pinned_client_is_served_whatever_its_certificate_says() {
    let scratch = Scratch::new("tls-pinned");
    let mut list = "  # an indented comment\n".to_owned();
    for name in ["v1", "catrue", "expired", "future"] {
        list += &format!("{name} {}\n", fingerprint(name));
    }
    let list: PathBuf = scratch.write("list", list).into();
    for client_ca in [None, Some(source("ca.pem").into())] {
        let tls = Tls::open(TlsFiles {
            known_clients: Some(list.clone()),
            client_ca,
            ..pem(&scratch, "server.pem", "server.key")
        })
        .unwrap();
        let rig = Rig::secure(
            RUNTIMES[0],
            ConnectionLimits::default(),
            Some(Arc::clone(&tls)),
        );
        for name in ["v1", "catrue", "expired", "future"] {
            for version in VERSIONS {
                let Some(answer) = ask(&rig.address.to_string(), version, Some(name)) else {
                    return;
                };
                assert!(answer.ends_with("OK"), "{name} {version}: {answer}");
            }
        }
        assert!(tls.failed_handshakes().iter().all(|(_, count)| *count == 0));
        let answer = ask(&rig.address.to_string(), "-tls1_3", Some("p521")).unwrap();
        assert!(!answer.ends_with("OK"), "{answer}");
        let failed = tls.failed_handshakes();
        assert!(failed.contains(&("client_certificate", 1)), "{failed:?}");
    }
}

#[test]
fn each_file_that_cannot_be_served_has_its_sentence() {
    let scratch = Scratch::new("tls-sentences");
    let chain = [source("catrue.pem"), source("p384.pem")].map(|path| std::fs::read(path).unwrap());
    let reversed = scratch.write("reversed.pem", chain.concat());
    let reversed = TlsIdentity::Pem(reversed.into(), private(&scratch, "p384-sec1.key").into());
    let password: PathBuf = private(&scratch, "java.password").into();
    let store = |name| TlsIdentity::Pkcs12(private(&scratch, name).into(), password.clone());
    for (files, file, sentence) in [
        (
            pem(&scratch, "p384.pem", "encrypted.key"),
            "encrypted.key: ",
            "encrypted, and is not read with a password: decrypt it with `openssl pkey",
        ),
        (
            pem(&scratch, "p384.pem", "encrypted-sec1.key"),
            "encrypted-sec1.key: ",
            "decrypt it with `openssl pkey",
        ),
        (
            pem(&scratch, "p521.pem", "p521.key"),
            "p521.key: ",
            "on the curve P-521; keys are RSA",
        ),
        (
            with_identity(reversed),
            "reversed.pem: ",
            "belongs to certificate 2 of 2: put that one first",
        ),
        (
            pem(&scratch, "p384.pem", "catrue.key"),
            "catrue.key: ",
            "does not belong to the certificate in ",
        ),
        (
            pem(&scratch, "catrue.pem", "p384-sec1.key"),
            "p384-sec1.key: ",
            "does not belong to the certificate in ",
        ),
        (
            pem(&scratch, "p384.pem", "p384.pem"),
            "p384.pem: ",
            "holds no private key in PEM",
        ),
        (
            with_identity(store("old.jks")),
            "old.jks: ",
            "is a Java keystore (JKS), which is not read; convert it with `keytool -importkeystore",
        ),
        (
            with_identity(store("v1.pem")),
            "v1.pem: ",
            "is a PEM file, not PKCS#12",
        ),
    ] {
        let error = Tls::open(files).unwrap_err().to_string();
        assert!(error.contains(file), "{file}: {error}");
        assert!(error.contains(sentence), "{file}: {error}");
    }
}

#[test]
fn a_failed_handshake_is_one_line_with_address_and_reason_and_is_counted() {
    let scratch = Scratch::new("tls-failed");
    let certificate = private(&scratch, "expired.pem");
    let key = scratch.write("open.key", std::fs::read(source("expired.key")).unwrap());
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut signer = Signer::start(&[
        "--interop-keys",
        "0..1",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--tls-client-ca",
        &source("ca.pem"),
        "--allow-insecure-permissions",
        "--logging",
        "debug",
    ]);
    signer.wait_for_line("expired.pem: the certificate expired at 2020-01-31T");
    signer.wait_for_line("open.key and perhaps more secrets: others can read them");

    let address = signer.address.clone();
    let failed = "TLS: the handshake with 127.0.0.1 failed: ";
    let mut plain = std::net::TcpStream::connect(&address).unwrap();
    plain.write_all(b"GET /upcheck HTTP/1.1\r\n\r\n").unwrap();
    signer.wait_for_line(&format!("{failed}received corrupt message"));
    let Some(_) = ask(&address, "-tls1_3", Some("v1")) else {
        return;
    };
    let line = signer.wait_for_line(&format!(
        "{failed}the client's certificate with SHA-256 {}",
        fingerprint("v1")
    ));
    assert!(line.contains("X.509 version 1"), "{line}");
    ask(&address, "-tls1_2", None).unwrap();
    signer.wait_for_line(&format!("{failed}peer sent no certificates"));

    let metrics = signer.metrics.clone().unwrap();
    let text = crate::support::client::Client::connect(&metrics)
        .get("/metrics")
        .text();
    for line in [
        "tls_failed_handshakes_total 3\n",
        "tls_certificate_not_after_seconds 1580480163\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    let failures = signer.log().matches("the handshake with").count();
    assert_eq!(failures, 3, "{}", signer.log());
}

#[test]
fn clients_of_a_ca_need_the_certificate_of_that_ca() {
    let scratch = Scratch::new("tls-ca-clients");
    let store = private(&scratch, "java-ec.p12");
    let password = private(&scratch, "java.password");
    let output = Command::new(binary())
        .args(["--tls-keystore-file", &store])
        .args(["--tls-keystore-password-file", &password])
        .arg("--tls-allow-ca-clients=true")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        printed.contains("give its PEM file by --tls-client-ca"),
        "{printed}"
    );
}
