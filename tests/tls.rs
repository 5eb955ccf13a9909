//! TLS: the same answers as without, the certificates of both sides, reload, and the Unix socket.
//! The certificates in `tests/tls` are valid for a hundred years; their keys protect nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConnection, StreamOwned};
use signerd::server::tls::{Tls, TlsFiles, TlsIdentity};
use signerd::server::{
    ConnectionLimits, ListenAddress, ListenerRole, Server, ServerSettings, Services,
};

use crate::http::wrong_answers;
use crate::rig::{Echo, RUNTIMES, Rig, connect, read_all};
use crate::support::Scratch;
use crate::support::secured::{private, secure, source};

const UPCHECK: &[u8] = b"GET /upcheck HTTP/1.1\r\nHost: a\r\n\r\n";

pub(crate) fn files(scratch: &Scratch, name: &str) -> TlsFiles {
    let pem = [".pem", ".key"].map(|end| private(scratch, &format!("{name}{end}")).into());
    let [certificates, key] = pem;
    TlsFiles {
        identity: TlsIdentity::Pem(certificates, key),
        client_ca: None,
        known_clients: None,
        allow_insecure_permissions: false,
    }
}

/// Sends `bytes` and all that comes back, or the error that ends the connection.
fn exchange(address: SocketAddr, name: Option<&str>, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = secure(connect(address), name);
    // A refusal may come, and the connection go, before the last byte is sent.
    stream.conn.complete_io(&mut stream.sock)?;
    let sent = stream.write_all(bytes).and_then(|()| {
        stream.conn.send_close_notify();
        stream.flush()
    });
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .or_else(|error| sent.and(Err(error)))?;
    Ok(answer)
}

#[test]
fn each_raw_request_gets_the_same_raw_answer_over_tls() {
    let scratch = Scratch::new("tls-raw");
    let tls = Tls::open(files(&scratch, "server")).unwrap();
    for runtime in RUNTIMES {
        let rig = Rig::secure(runtime, ConnectionLimits::default(), Some(Arc::clone(&tls)));
        let wrong = wrong_answers(|request| exchange(rig.address, None, request).unwrap());
        assert!(wrong.is_empty(), "{runtime:?}\n{}", wrong.join("\n"));
    }
}

#[test]
fn clients_are_served_by_their_certificates() {
    let scratch = Scratch::new("tls-clients");
    let ca = Some(source("ca.pem").into());
    let list = Some(source("known_clients.txt").into());
    for (server, client_ca, known_clients, nobody, of_the_ca, on_the_list) in [
        ("server", None, None, true, true, true),
        ("server-rsa", ca.clone(), None, false, true, false),
        ("server", None, list.clone(), false, false, true),
        ("server-rsa", ca, list, false, true, true),
    ] {
        let case = format!("{server} {client_ca:?} {known_clients:?}");
        let tls = Tls::open(TlsFiles {
            client_ca,
            known_clients,
            ..files(&scratch, server)
        })
        .unwrap();
        for runtime in RUNTIMES {
            let rig = Rig::secure(runtime, ConnectionLimits::default(), Some(Arc::clone(&tls)));
            for (name, served) in [
                (None, nobody),
                (Some("client"), of_the_ca),
                (Some("stranger"), on_the_list),
            ] {
                let answer = exchange(rig.address, name, UPCHECK);
                assert_eq!(
                    answer.is_ok_and(|answer| answer.ends_with("OK")),
                    served,
                    "{case}: {name:?}"
                );
            }
        }
    }
}

#[test]
fn a_pkcs12_file_is_an_identity_too() {
    let scratch = Scratch::new("tls-p12");
    let [file, password]: [std::path::PathBuf; 2] =
        ["server.p12", "server.p12.password"].map(|name| private(&scratch, name).into());
    let plain = files(&scratch, "server");
    let tls = Tls::open(TlsFiles {
        identity: TlsIdentity::Pkcs12(file.clone(), password.clone()),
        ..plain.clone()
    });
    let tls = tls.unwrap();
    assert_eq!(
        tls.fingerprint(),
        Tls::open(plain.clone()).unwrap().fingerprint()
    );
    let rig = Rig::secure(RUNTIMES[0], ConnectionLimits::default(), Some(tls));
    assert!(
        exchange(rig.address, None, UPCHECK)
            .unwrap()
            .ends_with("OK")
    );

    // What Java's keytool and openssl made for twenty years.
    let old = scratch.path().join("old.p12");
    for scheme in ["PBE-SHA1-RC2-40", "PBE-SHA1-3DES"] {
        let mut openssl = Command::new("openssl");
        openssl
            .args([
                "pkcs12",
                "-export",
                "-legacy",
                "-passout",
                "pass:secret",
                "-out",
            ])
            .arg(&old);
        openssl.args([
            "-keypbe",
            "PBE-SHA1-3DES",
            "-certpbe",
            scheme,
            "-macalg",
            "sha1",
        ]);
        openssl.args([
            "-in",
            &source("server.pem"),
            "-inkey",
            &source("server.key"),
        ]);
        if !openssl.status().is_ok_and(|status| status.success()) {
            break;
        }
        std::fs::write(&password, "secret\n").unwrap();
        let identity = TlsIdentity::Pkcs12(old.clone(), password.clone());
        let error = Tls::open(TlsFiles {
            identity,
            ..plain.clone()
        })
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("old.p12: ") && error.contains("openssl pkcs12 -legacy"),
            "{scheme}: {error}"
        );
    }

    std::fs::write(&password, "another\n").unwrap();
    let error = Tls::open(TlsFiles {
        identity: TlsIdentity::Pkcs12(file, password),
        ..plain
    })
    .unwrap_err();
    assert!(error.to_string().contains("server.p12: "), "{error}");
}

#[test]
fn wrong_files_are_named() {
    let scratch = Scratch::new("tls-files");
    let good = files(&scratch, "server");
    let error = |files: TlsFiles| Tls::open(files).unwrap_err().to_string();

    let list = scratch.write("list", "# comment\n\nme AA:BB\n").into();
    let shown = error(TlsFiles {
        known_clients: Some(list),
        ..good.clone()
    });
    assert!(
        shown.ends_with("line 3: expected a name and 32 bytes of hex with colons"),
        "{shown}"
    );

    let missing = Some("/does/not/exist".into());
    assert!(
        error(TlsFiles {
            client_ca: missing,
            ..good.clone()
        })
        .contains("/does/not/exist: No such file")
    );

    let TlsIdentity::Pem(certificates, key) = good.identity.clone() else {
        panic!("PEM")
    };
    let other: std::path::PathBuf = private(&scratch, "stranger.key").into();
    let identity = TlsIdentity::Pem(certificates.clone(), other.clone());
    assert!(
        error(TlsFiles {
            identity,
            ..good.clone()
        })
        .contains("stranger.key: "),
        "the key of another"
    );

    let identity = TlsIdentity::Pem(scratch.write("empty", "").into(), key.clone());
    assert!(
        error(TlsFiles {
            identity,
            ..good.clone()
        })
        .ends_with("empty: holds no certificate in PEM")
    );

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        error(good).contains("others can read"),
        "a key that others can read"
    );
}

#[test]
fn a_reload_changes_new_connections_and_leaves_the_old_ones() {
    let scratch = Scratch::new("tls-reload");
    let files = files(&scratch, "server");
    let tls = Tls::open(files.clone()).unwrap();
    let before = tls.fingerprint();
    let rig = Rig::secure(
        RUNTIMES[0],
        ConnectionLimits::default(),
        Some(Arc::clone(&tls)),
    );
    let mut old = secure(rig.connect(), None);
    let ask = |stream: &mut StreamOwned<ClientConnection, TcpStream>| {
        stream.write_all(UPCHECK).unwrap();
        crate::rig::read_answer(stream)
    };
    assert!(ask(&mut old).ends_with("OK"));

    let TlsIdentity::Pem(certificates, key) = &files.identity else {
        panic!("PEM")
    };
    std::fs::write(certificates, "no certificate").unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(tls.fingerprint(), before, "a failed reload changes nothing");
    assert!(ask(&mut secure(rig.connect(), None)).ends_with("OK"));

    std::fs::copy(source("server-rsa.pem"), certificates).unwrap();
    std::fs::write(key, std::fs::read(source("server-rsa.key")).unwrap()).unwrap();
    tls.reload().unwrap();
    assert_ne!(tls.fingerprint(), before);
    assert!(ask(&mut old).ends_with("OK"), "the old connection goes on");
    let mut new = secure(rig.connect(), None);
    assert!(ask(&mut new).ends_with("OK"));
    let shown = new.conn.peer_certificates().unwrap()[0].clone();
    assert_eq!(
        shown,
        CertificateDer::from_pem_file(source("server-rsa.pem")).unwrap()
    );
}

#[test]
fn the_handshake_has_the_deadline_of_the_head() {
    let scratch = Scratch::new("tls-deadline");
    let tls = Tls::open(files(&scratch, "server")).unwrap();
    let limits = ConnectionLimits {
        head: Duration::from_millis(300),
        ..ConnectionLimits::default()
    };
    for runtime in RUNTIMES {
        let rig = Rig::secure(runtime, limits.clone(), Some(Arc::clone(&tls)));
        for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"] {
            let mut stream = rig.connect();
            stream.write_all(bytes).unwrap();
            assert_eq!(read_all(&mut stream), "", "{runtime:?} {bytes:?}");
        }
        let mut stream = rig.connect();
        stream.write_all(UPCHECK).unwrap(); // no handshake at all
        stream.read_to_end(&mut Vec::new()).ok();
        rig.wait_for_connections(0);
    }
}

#[test]
fn openssl_speaks_with_it() {
    let scratch = Scratch::new("tls-openssl");
    let tls = Tls::open(files(&scratch, "server")).unwrap();
    let rig = Rig::secure(RUNTIMES[0], ConnectionLimits::default(), Some(tls));
    let mut honest = secure(rig.connect(), None);
    // A line "R" asks for renegotiation, which is refused; with TLS 1.3 it is data.
    for (version, input, served) in [
        (
            "-tls1_2",
            "GET /upcheck HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            true,
        ),
        (
            "-tls1_3",
            "GET /upcheck HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            true,
        ),
        (
            "-tls1_1",
            "GET /upcheck HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            false,
        ),
        ("-tls1_2", "R\n", false),
    ] {
        let address = rig.address.to_string();
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-connect",
            &address,
            "-CAfile",
            &source("ca.pem"),
            "-verify_return_error",
        ]);
        command.arg(version).args(served.then_some("-quiet"));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else {
            return;
        };
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        if served {
            // It ends when the server does, not with its input.
            let mut answer = String::new();
            child
                .stdout
                .as_mut()
                .unwrap()
                .read_to_string(&mut answer)
                .unwrap();
            assert!(answer.ends_with("OK"), "{version}: {answer}");
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        honest.write_all(UPCHECK).unwrap();
        assert!(
            crate::rig::read_answer(&mut honest).ends_with("OK"),
            "undisturbed by {version} {input:?}"
        );
    }
    assert!(
        exchange(rig.address, None, UPCHECK)
            .unwrap()
            .ends_with("OK")
    );
}

#[test]
fn a_unix_socket_serves_its_group_and_replaces_a_stale_one() {
    let scratch = Scratch::new("unix");
    let path = scratch.path().join("socket");
    for runtime in RUNTIMES {
        // The second round finds the socket that the first one has left behind.
        let listeners = vec![(ListenerRole::Signing, ListenAddress::Unix(path.clone()))];
        let server = Server::bind(ServerSettings {
            listeners,
            runtime,
            ..ServerSettings::default()
        })
        .unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o660
        );
        let running = server.start(Services::all(Echo)).unwrap();
        let wrong = wrong_answers(|request| {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream
                .write_all(request)
                .and_then(|()| stream.shutdown(std::net::Shutdown::Write))
                .ok();
            read_all(&mut stream)
        });
        assert!(wrong.is_empty(), "{runtime:?}\n{}", wrong.join("\n"));

        let listeners = vec![(ListenerRole::Signing, ListenAddress::Unix(path.clone()))];
        let second = Server::bind(ServerSettings {
            listeners,
            ..ServerSettings::default()
        });
        assert!(
            second.is_err_and(|error| error.to_string().contains("in use")),
            "a live socket is left alone"
        );
        running.stop();
    }
    std::fs::write(scratch.path().join("file"), "precious").unwrap();
    let file = scratch.path().join("file");
    let listeners = vec![(ListenerRole::Signing, ListenAddress::Unix(file))];
    assert!(
        Server::bind(ServerSettings {
            listeners,
            ..ServerSettings::default()
        })
        .is_err(),
        "no socket: left alone"
    );
}
