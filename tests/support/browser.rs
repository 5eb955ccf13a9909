//! Headless Chromium, driven over a pipe by the DevTools protocol.
//!
//! Where it is not installed, tests of it are skipped with a line on stderr; in CI (`CI` is set) they fail
//! instead.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use super::Scratch;

/// The program's names: Debian's, and that of the vendor's package.
const PROGRAMS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// How long the browser may take for one command, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    /// Events that nobody has looked at.
    events: Vec<Value>,
    _profile: Scratch,
}

impl Browser {
    /// Starts a browser; `None` where there is none. `name` names its scratch directory.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let Some(program) = PROGRAMS.iter().find(|path| Path::new(path).exists()) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "Chromium is not installed: apt-get install chromium"
            );
            eprintln!("SKIPPED: Chromium is not installed: apt-get install chromium");
            return None;
        };
        let profile = Scratch::new(&format!("browser-{name}"));
        // The browser reads commands from descriptor 3 and writes answers to descriptor 4.
        let script = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
             --hide-scrollbars --remote-debugging-pipe --user-data-dir=\"$1\" 3<&0 4>&1 </dev/null >/dev/null";
        let mut process = Command::new("sh")
            .args(["-c", script, program])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("messages are JSON");
                let _ = sender.send(message);
            }
        });
        let mut browser = Self {
            process,
            input,
            messages,
            session: None,
            last_id: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": page["targetId"], "flatten": true}),
        );
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol, and returns its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).expect("the browser reads");
        loop {
            let mut message = self.next_message();
            if message["id"] != id {
                self.events.push(message);
                continue;
            }
            assert!(message["error"].is_null(), "{method}: {message}");
            return message["result"].take();
        }
    }

    fn next_message(&mut self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the browser answers")
    }

    /// Sets the size of the window and the scheme of colours, `light` or `dark`.
    pub(crate) fn set_view(&mut self, width: u64, scheme: &str) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        self.call(
            "Emulation.setEmulatedMedia",
            json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// Whether pages may run scripts.
    pub(crate) fn allow_scripts(&mut self, allowed: bool) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": !allowed}),
        );
    }

    /// Opens an address, and waits until it is loaded.
    pub(crate) fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        let deadline = Instant::now() + PATIENCE;
        while !self.take_event("Page.loadEventFired") {
            assert!(Instant::now() < deadline, "{address} does not load");
            let message = self.next_message();
            self.events.push(message);
        }
    }

    fn take_event(&mut self, method: &str) -> bool {
        let position = self
            .events
            .iter()
            .position(|event| event["method"] == method);
        if let Some(position) = position {
            self.events.remove(position);
        }
        position.is_some()
    }

    /// The value of an expression of JavaScript, on the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let mut result = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        let exception = &result["exceptionDetails"];
        assert!(exception.is_null(), "{expression}: {exception}");
        result["result"]["value"].take()
    }

    /// Waits until the expression is true.
    pub(crate) fn wait_until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < deadline, "never true: {expression}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What the page has complained of: errors and warnings of the console, scripts that failed, violations
    /// of its content security policy.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // An answer comes after all events before it.
        self.evaluate("0");
        let mut complaints = Vec::new();
        for event in &self.events {
            let method = event["method"].as_str().unwrap_or_default();
            if matches!(
                method,
                "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown"
            ) {
                complaints.push(event["params"].to_string());
            }
        }
        complaints
    }

    /// The addresses that the page has asked for.
    pub(crate) fn requested(&self) -> Vec<String> {
        let mut addresses = Vec::new();
        for event in &self.events {
            if event["method"] == "Network.requestWillBeSent"
                && let Some(address) = event["params"]["request"]["url"].as_str()
            {
                addresses.push(address.to_owned());
            }
        }
        addresses
    }

    /// What a screen reader is given, in order: pairs of role and name, without what is ignored.
    pub(crate) fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let mut nodes = Vec::new();
        for node in tree["nodes"].as_array().expect("nodes") {
            if node["ignored"] == true {
                continue;
            }
            let text = |field: &str| node[field]["value"].as_str().unwrap_or_default().to_owned();
            nodes.push((text("role"), text("name")));
        }
        nodes
    }

    /// Writes a picture of the whole page below the directory of `SIGNERD_TEST_PICTURES`, if that is set.
    pub(crate) fn take_picture(&mut self, name: &str, width: u64) {
        let Some(directory) = std::env::var_os("SIGNERD_TEST_PICTURES") else {
            return;
        };
        let height = self.evaluate("document.documentElement.scrollHeight");
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let picture = self.call(
            "Page.captureScreenshot",
            json!({"clip": clip, "captureBeyondViewport": true}),
        );
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().expect("a picture"))
            .expect("base64");
        let path = Path::new(&directory).join(format!("{name}.png"));
        fs::write(path, bytes).expect("a writable directory");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its children end with it, and then its profile can be removed.
        let _ = self
            .input
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let _ = self.process.wait();
    }
}
