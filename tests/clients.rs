//! HTTP clients of other languages, where they are on this machine: curl, Python, Java, and what Go's
//! net/http sends. Each against a whole signer, over TCP and, where it can, TLS.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Scratch, Signer, Transport, secured};

/// A signer with one key and TLS or not, its URL, and what every client is to sign.
fn signer(transport: Transport) -> (Signer, String) {
    let signer = Signer::start_over(transport, &["--interop-keys", "0..1"]);
    signer.wait_loaded();
    let scheme = if transport == Transport::Tls {
        "https"
    } else {
        "http"
    };
    let port = signer.address.rsplit(':').next().unwrap();
    let url = format!("{scheme}://localhost:{port}");
    (signer, url)
}

const PATH: &str = "/api/v1/eth2/sign/0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";
const BODY: &str = r#"{"signingRoot":"0x0100000000000000000000000000000000000000000000000000000000000000","domain":"0x01000000"}"#;

/// The signature that all must get.
fn expected(signer: &Signer) -> String {
    let answer = signer.client().post(PATH, BODY.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// Runs a tool that may not be on this machine; its standard output.
fn run(command: &mut Command, input: &str) -> Option<String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for proxy in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    let mut child = command
        .spawn()
        .map_err(|error| eprintln!("skipped: {error}"))
        .ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("No module named") {
        eprintln!("skipped: {errors}");
        return None;
    }
    assert!(output.status.success(), "{command:?}: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn curl_gets_signatures_however_it_sends_them() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let (signer, url) = signer(transport);
        let expected = expected(&signer);
        for options in [
            &["--http1.0", "-d", "@-"][..],
            &["--http1.1", "-d", "@-"],
            &["--http1.1", "-X", "POST", "-T", "-"],
            &["--http1.1", "-H", "Expect: 100-continue", "-d", "@-"],
            &["--http1.1", "-H", "Expect:", "-X", "POST", "-T", "-"],
        ] {
            let mut command = Command::new("curl");
            command
                .args(["-sSf", "--max-time", "20", "-H", "Accept: application/json"])
                .args(options);
            command
                .args(["--cacert", &secured::source("ca.pem")])
                .arg(format!("{url}{PATH}"));
            let Some(output) = run(&mut command, BODY) else {
                return;
            };
            assert_eq!(output, expected, "{transport:?} {options:?}");
        }
    }
}

/// Asks thrice on one connection: plain, chunked, and after a refusal.
const HTTP_CLIENT: &str = "
import http.client, ssl, sys
url, path, body, ca = sys.argv[1:]
scheme, host = url.split('://')
context = ssl.create_default_context(cafile=ca)
connect = lambda: http.client.HTTPSConnection(host, timeout=20, context=context) if scheme == 'https' \\
    else http.client.HTTPConnection(host, timeout=20)
c = connect()
for data, headers in ((body.encode(), {}), (iter([body[:9].encode(), body[9:].encode()]), {'Transfer-Encoding': 'chunked'})):
    c.request('POST', path, data, {'Accept': 'application/json', **headers}, encode_chunked=bool(headers))
    print(c.getresponse().read().decode())
c.request('POST', '/nowhere', body); assert c.getresponse().read()
c.request('POST', path, body, {'Accept': '*/*'}); print(c.getresponse().read().decode())
";

const REQUESTS: &str = "
import requests, sys
url, path, body, ca = sys.argv[1:]
s = requests.Session(); s.trust_env = False; s.verify = ca
for data in (body, iter([body[:9].encode(), body[9:].encode()]), body):
    r = s.post(url + path, data=data, headers={'Accept': 'application/json'}, timeout=20); r.raise_for_status()
    print(r.text)
";

const AIOHTTP: &str = "
import aiohttp, asyncio, ssl, sys
url, path, body, ca = sys.argv[1:]
async def parts():
    yield body[:9].encode(); yield body[9:].encode()
async def main():
    context = ssl.create_default_context(cafile=ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as s:
        for data, more in ((body, {}), (parts(), {}), (body, {'expect100': True})):
            async with s.post(url + path, data=data, headers={'Accept': 'application/json'}, **more) as r:
                r.raise_for_status(); print(await r.text())
        texts = await asyncio.gather(*[one(s) for _ in range(50)])
        assert len(set(texts)) == 1
async def one(s):
    async with s.post(url + path, data=body, headers={'Accept': 'application/json'}) as r:
        return await r.text()
asyncio.run(main())
";

#[test]
fn the_clients_of_python_get_signatures() {
    let python = std::env::var("SIGNERD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    for transport in [Transport::Tcp, Transport::Tls] {
        let (signer, url) = signer(transport);
        let expected = format!("{}\n", expected(&signer)).repeat(3);
        for (name, script) in [
            ("http.client", HTTP_CLIENT),
            ("requests", REQUESTS),
            ("aiohttp", AIOHTTP),
        ] {
            let mut command = Command::new(&python);
            command.args(["-c", script, &url, PATH, BODY, &secured::source("ca.pem")]);
            let Some(output) = run(&mut command, "") else {
                continue;
            };
            assert_eq!(output, expected, "{name} over {transport:?}");
            println!("{name} over {transport:?}");
        }
    }
}

/// Teku and Web3Signer's own tools send so: Java's client of HTTP/1.1 and, by default, its offer of h2c.
const JAVA: &str = r#"
import java.net.URI;
import java.net.http.*;
public class Ask {
    public static void main(String[] a) throws Exception {
        for (HttpClient.Version version : HttpClient.Version.values()) {
            HttpClient client = HttpClient.newBuilder().version(version).build();
            for (boolean expect : new boolean[] {false, true}) {
                HttpRequest request = HttpRequest.newBuilder(URI.create(a[0])).header("Accept", "application/json")
                    .expectContinue(expect).POST(HttpRequest.BodyPublishers.ofString(a[1])).build();
                System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
            }
        }
        byte[] body = a[1].getBytes();
        HttpRequest chunked = HttpRequest.newBuilder(URI.create(a[0])).header("Accept", "application/json")
            .POST(HttpRequest.BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(body))).build();
        System.out.println(HttpClient.newHttpClient().send(chunked, HttpResponse.BodyHandlers.ofString()).body());
    }
}
"#;

#[test]
fn the_client_of_java_gets_signatures() {
    let scratch = Scratch::new("java");
    let source = scratch.write("Ask.java", JAVA);
    let (signer, url) = signer(Transport::Tcp);
    let expected = format!("{}\n", expected(&signer)).repeat(5);
    let mut command = Command::new("java");
    command.args([&source, &format!("{url}{PATH}"), BODY]);
    let Some(output) = run(&mut command, "") else {
        return;
    };
    assert_eq!(output, expected);
}

#[test]
fn what_go_sends_is_understood() {
    for transport in Transport::ALL {
        let (signer, _) = signer(transport);
        let expected = expected(&signer);
        let mut client = signer.client();
        // As net/http of Go writes them: a reader of unknown length, one of known length, Prysm's and
        // Vouch's fields.
        let fields =
            "Host: localhost\r\nUser-Agent: Go-http-client/1.1\r\nAccept: application/json\r\n";
        let (first, rest) = BODY.split_at(9);
        let chunked = format!(
            "POST {PATH} HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
            first.len(),
            rest.len()
        );
        let plain = format!(
            "POST {PATH} HTTP/1.1\r\n{fields}Content-Length: {}\r\nContent-Type: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n{BODY}",
            BODY.len()
        );
        for request in [&chunked, &plain, &chunked] {
            client.send(request.as_bytes());
            let answer = client.answer(false);
            assert_eq!(
                (answer.status, answer.text()),
                (200, expected.clone()),
                "{transport:?}"
            );
        }
    }
}
