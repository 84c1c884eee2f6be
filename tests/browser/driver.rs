//! A browser, driven through chromedriver.
//!
//! Source: <https://www.w3.org/TR/webdriver2/>; `goog:` and `se/log` are chromedriver's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the page may take for what it does by and by.
const PATIENCE: Duration = Duration::from_secs(10);

/// Chromium without a window. It and its driver end with this.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts it. Without one the test says that it was skipped; in CI, where there is one, it fails.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let missing = |program: &str| {
            let ran = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            !ran.is_ok_and(|status| status.success())
        };
        if let Some(program) = ["chromium", "chromedriver"].into_iter().find(|one| missing(one)) {
            assert!(std::env::var_os("CI").is_none(), "{test}: there is no {program}");
            eprintln!("{test}: skipped, there is no {program}");
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.take().expect("its output"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("successfully on port ")?.1;
            port.trim_end_matches('.').parse().ok()
        });
        let mut browser = Self { driver, port: port.expect("a port"), session: String::new() };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
            "unhandledPromptBehavior": "ignore",
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let answer = browser.call("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    /// Opens a file.
    pub(crate) fn open(&self, page: &Path) {
        self.post("url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// What a script in the page returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Asks a script again until it returns `wanted`, which what the page does by and by (following a link) needs; and what it
    /// returned last.
    pub(crate) fn run_until(&self, script: &str, wanted: &Value) -> Value {
        let began = Instant::now();
        loop {
            let got = self.run(script);
            if got == *wanted || began.elapsed() > PATIENCE {
                return got;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks on the first element that a selector finds, as a user would.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into the first element that a selector finds.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    fn find(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        let element = found.as_object().and_then(|found| found.values().next());
        element.and_then(Value::as_str).unwrap_or_else(|| panic!("no {selector}")).to_owned()
    }

    /// Width of the window in pixels of the page, and whether it is a telephone's.
    pub(crate) fn resize(&self, width: u32, height: u32, mobile: bool) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Whether its user likes it dark.
    pub(crate) fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.command("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Whether scripts run.
    pub(crate) fn scripts(&self, run: bool) {
        self.command("Emulation.setScriptExecutionDisabled", &json!({ "value": !run }));
    }

    /// The page as it is, at most so high, as a PNG.
    pub(crate) fn screenshot(&self, path: &Path, most: f64) {
        let sizes = self.command("Page.getLayoutMetrics", &json!({}));
        let sizes = &sizes["cssContentSize"];
        let height = sizes["height"].as_f64().expect("a height").min(most);
        let clip = json!({ "x": 0, "y": 0, "width": sizes["width"], "height": height, "scale": 1 });
        let wanted = json!({ "captureBeyondViewport": true, "clip": clip });
        let shot = self.command("Page.captureScreenshot", &wanted);
        std::fs::write(path, bytes(&shot["data"])).expect("written");
    }

    /// The page on paper, as a PDF.
    pub(crate) fn print(&self) -> Vec<u8> {
        let paper = json!({ "printBackground": true, "paperWidth": 8.27, "paperHeight": 11.69 });
        bytes(&self.command("Page.printToPDF", &paper)["data"])
    }

    /// Everything that was asked for over a network or from the disk since this was last called, by URL.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({ "type": "performance" }));
        let sent = log.as_array().expect("a log").iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned)).flatten()
        });
        sent.collect()
    }

    /// What the page and the browser complained about since this was last called.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        let log = self.post("se/log", &json!({ "type": "browser" }));
        log.as_array().expect("a log").clone()
    }

    /// Text of the dialog that is open, if one is.
    pub(crate) fn dialog(&self) -> Option<Value> {
        let path = format!("/session/{}/alert/text", self.session);
        let (status, answer) = self.ask("GET", &path, "");
        (status == 200).then(|| answer["value"].clone())
    }

    fn command(&self, name: &str, params: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": params }))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, &body.to_string());
        assert_eq!(status, 200, "{path}: {answer}");
        answer["value"].clone()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(head.as_bytes()).expect("asked");
        stream.write_all(body.as_bytes()).expect("asked");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a status");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).expect("the answer");
        (status.expect("a status"), serde_json::from_slice(&answer).expect("JSON"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.session.is_empty() {
            self.ask("DELETE", &format!("/session/{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn bytes(base64: &Value) -> Vec<u8> {
    let text = base64.as_str().expect("base64");
    data_encoding::BASE64.decode(text.as_bytes()).expect("base64")
}
